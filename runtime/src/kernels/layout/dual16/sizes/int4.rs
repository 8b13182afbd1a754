//! Sizes of blocks and of the prepared input.

/// Rows of a block.
pub const ROWS: usize = 2;
/// Columns of a group.
pub const GROUP: usize = 16;
/// Words of the prepared input per group.
pub const PART_WORDS: usize = 8;
/// Mask of the even nibbles of a word.
pub const EVEN: u32 = 0x0f0f_0f0f;
/// Offset of the coefficients of even nibbles.
pub const EVEN_OFFSET: i32 = 16 * 128;

/// Returns the words of a block with this number of padded columns.
pub const fn block_words(columns: usize) -> usize {
    ROWS + columns * ROWS / 8 + ROWS
}
