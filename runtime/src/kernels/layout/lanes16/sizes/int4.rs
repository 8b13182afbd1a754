//! Sizes of blocks and of the prepared input.

use super::super::EDGE_WORDS;

/// Columns of a group: the number of columns that a lane can sum.
pub const GROUP: usize = 32;
/// Columns that are prepared together: a whole group.
pub const PART: usize = GROUP;
/// Words of the prepared input per part.
pub const PART_WORDS: usize = GROUP + 1;
/// Words of the prepared input per group.
pub const WORDS: usize = PART_WORDS;

/// Returns the words of a block with this number of padded columns.
pub const fn block_words(columns: usize) -> usize {
    (columns / 2).saturating_add(EDGE_WORDS)
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
