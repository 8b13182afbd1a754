//! Sizes of blocks and of the prepared input.

/// Rows of a block.
pub const ROWS: usize = 4;
/// Columns of a group.
pub const GROUP: usize = 8;
/// Words of the prepared input per group.
pub const PART_WORDS: usize = 4;

/// Returns the words of a block with this number of padded columns.
pub const fn block_words(columns: usize) -> usize {
    ROWS + columns * ROWS / 4 + ROWS
}
