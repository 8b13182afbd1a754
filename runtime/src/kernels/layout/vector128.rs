//! Layout `Vector128`: for the vector extension of Cortex-M55 and M85 (MVE, "Helium"), whose registers hold 16 bytes.
//!
//! # Memory order
//!
//! Rows are taken in blocks of 8, columns in groups of 16. A block is read once from start to end:
//!
//! ```text
//! block:    8 start values (i32) | group 0 | group 1 | ... | 8 multipliers (i32)
//!
//! group, 8 bits:  row 0: 16 bytes | row 1: 16 bytes | ... | row 7: 16 bytes
//! group, 4 bits:  rows 0 and 1: 16 bytes | rows 2 and 3 | rows 4 and 5 | rows 6 and 7
//! ```
//!
//! A prepared input is the activations themselves, each segment padded with zeros to whole words, and behind the last one all
//! of them to whole groups: two segments of 88 are eleven groups, two of 90 are 92 each, which with eight columns more are
//! twelve.
//!
//! # 8 bits
//!
//! A start value is the bias; the sum of a row is `bias + sum w[c] * x[c]`.
//!
//! # 4 bits: two rows in a byte
//!
//! The byte of column c for rows 2p and 2p + 1 is, with a borrow, `b[c] = 16 * w1[c] + w0[c]`: |b| <= 16 * 7 + 7 = 119,
//! a signed byte. Shifted left by four it is `16 * w0[c]` in a signed byte, because the upper half falls out. Two
//! multiplications give, without unpacking the upper half,
//!
//! ```text
//! even = start0 + sum (b[c] << 4) * x[c] = 16 * acc0                 start0 = 16 * bias0
//! odd  = start1 + sum  b[c]       * x[c] = 16 * acc1 + acc0          start1 = 16 * bias1 + bias0
//! ```
//!
//! and `16 * odd - even = 256 * acc1`. All of it holds modulo 2^32, and |256 * acc| < 2^31. The usual way, one row's
//! even and odd columns in a byte, needs an AND for each pair in addition.
//!
//! # Requantization
//!
//! VRMULH gives `(a * b + 2^31) >> 32`. With `a = 256 * acc` that is `(acc * multiplier + 2^23) >> 24`, the definition.

#[cfg(kernel = "mve")]
mod mve;
pub mod portable;
#[cfg(test)]
mod tests;

#[cfg(not(kernel = "mve"))]
use portable as backend;

#[cfg(kernel = "mve")]
use mve as backend;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

#[cfg(feature = "alloc")]
use super::blocks::blocks;

#[cfg(kernel = "mve")]
pub use backend::Matrix;
pub use backend::{copy_i8, exchange_i8, gate_i8, pick, rows_i8, rows_tanh_i8, table_tanh_i8, tanh_i8_slice, weigh};
#[cfg(feature = "int4")]
pub use backend::{rows_i4, rows_tanh_i4};

/// Whether this build has the kernels in assembly; without them [`portable`] stands behind the same names.
pub const ASSEMBLY: bool = cfg!(kernel = "mve");
/// Rows of a block, whatever the width of the weights.
const ROWS: usize = 8;
/// Rows of a block of 8-bit weights.
pub const ROWS_I8: usize = ROWS;
/// Rows of a block of 4-bit weights.
#[cfg(feature = "int4")]
pub const ROWS_I4: usize = ROWS;
/// Columns of a group, whatever the width of the weights: the bytes of a vector.
const COLUMNS: usize = 16;
/// Columns of a group of 8-bit weights. All segments together are padded to a multiple of it.
pub const COLUMNS_I8: usize = COLUMNS;
/// Columns that may be a segment of their own, where something follows it: those of a word.
pub const PART_I8: usize = 4;
/// The same for 4-bit weights.
#[cfg(feature = "int4")]
pub const PART_I4: usize = PART_I8;
/// Words of the prepared input of [`PART_I8`] columns.
pub const PART_WORDS_I8: usize = 1;
/// The same for 4-bit weights.
#[cfg(feature = "int4")]
pub const PART_WORDS_I4: usize = PART_WORDS_I8;
/// Columns of a group of 4-bit weights. All segments together are padded to a multiple of it.
#[cfg(feature = "int4")]
pub const COLUMNS_I4: usize = COLUMNS;

/// `u32` words of a block for so many columns, padding included. A multiple of four.
pub const fn block_words_i8(columns: usize) -> usize {
    2 * ROWS + columns.next_multiple_of(COLUMNS) * ROWS / 4
}

/// `u32` words of a prepared input of so many columns.
pub const fn prepared_words_i8(columns: usize) -> usize {
    columns.next_multiple_of(COLUMNS) / 4
}

/// Brings a segment into the form that the kernels read: a copy, padded with zeros. Its share of the constant is 0.
///
/// Shapes: `prepared` has the words of the segment with its padding; what goes beyond it is left out.
#[inline]
pub fn prepare_i8(x: &[i8], prepared: &mut [u32]) -> i32 {
    let bytes: &mut [i8] = bytemuck::cast_slice_mut(prepared);
    copy_i8(x, bytes);
    if let Some(padding) = bytes.get_mut(x.len()..)
        && !padding.is_empty()
    {
        padding.fill(0);
    }
    0
}

/// Columns of a matrix whose prepared input takes so many words; `None` if something does not fit, or nothing is asked for.
#[inline]
fn columns(block_words: fn(usize) -> usize, blocks: &[u32], prepared: usize, rows: usize) -> Option<usize> {
    // No layer has more columns or rows; their product fits 32 bits.
    const MAX_COLUMNS: usize = 1 << 17;
    const MAX_ROWS: usize = 1 << 13;
    let columns = 4 * prepared.min(MAX_COLUMNS);
    let fits = columns <= MAX_COLUMNS
        && rows <= MAX_ROWS
        && prepared.is_multiple_of(COLUMNS / 4)
        && rows.is_multiple_of(ROWS)
        && rows > 0
        && block_words(columns) * (rows / ROWS) <= blocks.len();
    fits.then_some(columns)
}

/// A byte of a block's weights.
fn byte(block: &[u32], index: usize) -> i8 {
    bytemuck::cast_slice(block).get(4 * ROWS + index).copied().unwrap_or(0)
}

/// A start value (`row` below [`ROWS_I8`]).
fn start(block: &[u32], row: usize) -> i32 {
    block.get(row).map_or(0, |&word| word as i32)
}

/// A weight of a block; 0 for one that is not there.
pub fn weight_i8(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
    if row >= ROWS || column >= columns.next_multiple_of(COLUMNS) {
        return 0;
    }
    byte(block, (column / COLUMNS * ROWS + row) * COLUMNS + column % COLUMNS)
}

/// The bias of a row. Every word can stand for one.
pub fn bias_i8(block: &[u32], _columns: usize, row: usize) -> Option<i32> {
    (row < ROWS).then(|| start(block, row))
}

/// The multiplier of a row; 0 for one that is not there.
pub fn multiplier_i8(block: &[u32], columns: usize, row: usize) -> i32 {
    multiplier(block, block_words_i8(columns), row)
}

fn multiplier(block: &[u32], words: usize, row: usize) -> i32 {
    if row < ROWS { block.get(words - ROWS + row).map_or(0, |&word| word as i32) } else { 0 }
}

/// Writes one block: `weight(row, column)` for every padded column, 0 for padding. Does nothing where the length of `block`
/// is not that of one.
pub fn write_block_i8(
    block: &mut [u32],
    columns: usize,
    bias: [i32; ROWS_I8],
    multiplier: [i32; ROWS_I8],
    weight: impl Fn(usize, usize) -> i8,
) {
    if block.len() == block_words_i8(columns) {
        write(block, bias, multiplier, ROWS, weight);
    }
}

/// What both widths share: `lines` bytes per column, each `byte(line, column)`.
fn write(
    block: &mut [u32],
    start: [i32; ROWS],
    multiplier: [i32; ROWS],
    lines: usize,
    byte: impl Fn(usize, usize) -> i8,
) {
    let Some((first, rest)) = block.split_first_chunk_mut::<ROWS>() else { return };
    let Some((weights, last)) = rest.split_last_chunk_mut::<ROWS>() else { return };
    *first = start.map(|start| start as u32);
    *last = multiplier.map(|multiplier| multiplier as u32);
    for (group, words) in weights.chunks_mut(lines * COLUMNS / 4).enumerate() {
        for (line, words) in words.chunks_mut(COLUMNS / 4).enumerate() {
            for (at, word) in words.iter_mut().enumerate() {
                let column = group * COLUMNS + 4 * at;
                *word = u32::from_le_bytes([0, 1, 2, 3].map(|at| byte(line, column + at) as u8));
            }
        }
    }
}

/// All blocks of a layer. `weight(row, column)` is asked for the rows there are and every padded column.
///
/// Shapes: `bias` and `multiplier` `[rows]`; `columns` with the padding of each segment. Rows beyond `rows` are zero.
#[cfg(feature = "alloc")]
pub fn pack_i8(
    bias: &[i32],
    multiplier: &[i32],
    weight: impl Fn(usize, usize) -> i8,
    rows: usize,
    columns: usize,
) -> Vec<u32> {
    blocks(block_words_i8(columns), bias, multiplier, weight, rows, |block, bias, multiplier, weight| {
        write_block_i8(block, columns, bias, multiplier, weight);
    })
}

#[cfg(feature = "int4")]
pub use int4::*;

#[cfg(feature = "int4")]
mod int4 {
    use super::*;

    /// `u32` words of a block for so many columns, padding included. A multiple of four.
    pub const fn block_words_i4(columns: usize) -> usize {
        2 * ROWS + columns.next_multiple_of(COLUMNS) * ROWS / 8
    }

    /// `u32` words of a prepared input of so many columns.
    pub const fn prepared_words_i4(columns: usize) -> usize {
        prepared_words_i8(columns)
    }

    /// As [`prepare_i8`].
    #[inline]
    pub fn prepare_i4(x: &[i8], prepared: &mut [u32]) -> i32 {
        prepare_i8(x, prepared)
    }

    /// A weight of a block; 0 for one that is not there. A byte that stands for none in -7..=7 may give -8 or 8.
    pub fn weight_i4(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        if row >= ROWS || column >= columns.next_multiple_of(COLUMNS) {
            return 0;
        }
        let byte = i32::from(byte(block, (column / COLUMNS * (ROWS / 2) + row / 2) * COLUMNS + column % COLUMNS));
        // The lower half with its sign; then what it borrowed is given back.
        let even = (byte << 28) >> 28;
        if row.is_multiple_of(2) { even as i8 } else { ((byte - even) >> 4) as i8 }
    }

    /// The bias of a row; `None` if the start values cannot stand for one.
    pub fn bias_i4(block: &[u32], _columns: usize, row: usize) -> Option<i32> {
        if row >= ROWS {
            return None;
        }
        let sixteenth = |value: i32| (value % 16 == 0).then_some(value / 16);
        let even = sixteenth(start(block, row & !1))?;
        if row.is_multiple_of(2) { Some(even) } else { sixteenth(start(block, row).checked_sub(even)?) }
    }

    /// The multiplier of a row; 0 for one that is not there.
    pub fn multiplier_i4(block: &[u32], columns: usize, row: usize) -> i32 {
        multiplier(block, block_words_i4(columns), row)
    }

    /// As [`write_block_i8`], for weights in -7..=7 and biases below 2^23 in magnitude.
    pub fn write_block_i4(
        block: &mut [u32],
        columns: usize,
        bias: [i32; ROWS_I4],
        multiplier: [i32; ROWS_I4],
        weight: impl Fn(usize, usize) -> i8,
    ) {
        if block.len() != block_words_i4(columns) {
            return;
        }
        let start = core::array::from_fn(|row| {
            let below = if row.is_multiple_of(2) { 0 } else { bias[row - 1] };
            bias[row].wrapping_mul(16).wrapping_add(below)
        });
        write(block, start, multiplier, ROWS / 2, |pair, column| {
            weight(2 * pair + 1, column).wrapping_mul(16).wrapping_add(weight(2 * pair, column))
        });
    }

    /// As [`pack_i8`], of [`write_block_i4`].
    #[cfg(feature = "alloc")]
    pub fn pack_i4(
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
        rows: usize,
        columns: usize,
    ) -> Vec<u32> {
        blocks(block_words_i4(columns), bias, multiplier, weight, rows, |block, bias, multiplier, weight| {
            write_block_i4(block, columns, bias, multiplier, weight);
        })
    }
}
