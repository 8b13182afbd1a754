//! Sizes of blocks and of the prepared input.

use super::super::EDGE_WORDS;

/// Columns of a group: the loops compute them in one turn.
pub const GROUP: usize = 16;
/// Columns that are prepared together.
pub const PART: usize = 4;
/// Words of the prepared input per part.
pub const PART_WORDS: usize = 3 * PART / 2;
/// Words of the prepared input per group.
pub const WORDS: usize = GROUP / PART * PART_WORDS;

/// Returns the words of a block with this number of padded columns.
pub const fn block_words(columns: usize) -> usize {
    columns.saturating_add(EDGE_WORDS)
}

/// Returns whether blocks, prepared input and the number of rows match.
#[inline]
pub fn matches(blocks: &[u32], prepared: &[u32], rows: usize) -> bool {
    super::super::matches::<GROUP, WORDS>(blocks, prepared, rows, block_words)
}

/// Returns the words of a block that matches prepared input of this number of words.
#[inline]
pub fn block_words_for(prepared: usize) -> usize {
    block_words(super::super::groups::<WORDS>(prepared).saturating_mul(GROUP))
}
