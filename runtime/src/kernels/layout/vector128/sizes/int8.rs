//! Sizes of blocks and of the prepared input.

use super::super::{COLUMNS, ROWS};

/// Returns the words of a block with this number of columns, padding included.
pub const fn block_words(columns: usize) -> usize {
    2 * ROWS + columns.next_multiple_of(COLUMNS) * ROWS / 4
}
