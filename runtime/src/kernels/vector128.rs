//! Layout `vector128`: for the vector extension of Cortex-M55 and M85 (MVE, "Helium"), whose registers hold 16 bytes.
//!
//! # Memory order
//!
//! Rows are taken in blocks of [`ROWS`], columns in groups of [`GROUP`]. A block is read once from start to end:
//!
//! ```text
//! block:    8 start values (i32) | group 0 | group 1 | ... | 8 multipliers (i32)
//!
//! group, 8 bits:  row 0: 16 bytes | row 1: 16 bytes | ... | row 7: 16 bytes
//! group, 4 bits:  rows 0 and 1: 16 bytes | rows 2 and 3 | rows 4 and 5 | rows 6 and 7
//! ```
//!
//! A prepared input is the activations themselves, each segment padded with zeros to whole groups.
//!
//! # 8 bits
//!
//! A start value is the bias; the sum of a row is `bias + sum w[c] * x[c]`.
//!
//! # 4 bits: two rows in a byte
//!
//! The byte of column c for rows 2p and 2p + 1 is, with a borrow, `b[c] = 16 * w1[c] + w0[c]`: |b| <= 16 * 7 + 7 = 119, a
//! signed byte. Shifted left by four it is `16 * w0[c]` in a signed byte, because the upper half falls out. Two
//! multiplications give, without unpacking the upper half,
//!
//! ```text
//! even = start0 + sum (b[c] << 4) * x[c] = 16 * acc0                 start0 = 16 * bias0
//! odd  = start1 + sum  b[c]       * x[c] = 16 * acc1 + acc0          start1 = 16 * bias1 + bias0
//! ```
//!
//! and `16 * odd - even = 256 * acc1`. All of it holds modulo 2^32, and |256 * acc| < 2^31. The usual way, one row's even
//! and odd columns in a byte, needs an AND for each pair in addition.
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

pub use backend::{copy_i8, rows_i8, rows_tanh_i8, table_tanh_i8, tanh_i8_slice, weigh};
#[cfg(feature = "int4")]
pub use backend::{rows_i4, rows_tanh_i4};

/// Whether this build has the instructions; without them [`portable`] stands behind the same names.
pub const ASSEMBLY: bool = cfg!(kernel = "mve");
/// Rows per block.
pub const ROWS: usize = 8;
/// [`ROWS`], by the name that every layout has for it.
pub const ROWS_I8: usize = ROWS;
/// As [`ROWS_I8`].
#[cfg(feature = "int4")]
pub const ROWS_I4: usize = ROWS;
/// Columns per group: the bytes of a vector.
pub const GROUP: usize = 16;
/// [`GROUP`], by the name that every layout has for it.
pub const COLUMNS_I8: usize = GROUP;
/// As [`COLUMNS_I8`].
#[cfg(feature = "int4")]
pub const COLUMNS_I4: usize = GROUP;
/// Values of a segment with its padding.
pub const fn padded_i8(width: usize) -> usize {
    width.next_multiple_of(GROUP)
}

/// `u32` words of a block for so many columns, padding included. A multiple of four.
pub const fn block_words_i8(columns: usize) -> usize {
    2 * ROWS + padded_i8(columns) * ROWS / 4
}

/// `u32` words of a prepared input of so many columns.
pub const fn prepared_words_i8(columns: usize) -> usize {
    padded_i8(columns) / 4
}

/// Brings a segment into the form that the kernels read: a copy, padded with zeros. Its share of the constant is 0.
///
/// Shapes: `prepared` `[prepared_words_i8(x.len())]`; where it is not, nothing is done.
#[inline]
pub fn prepare_i8(x: &[i8], prepared: &mut [u32]) -> i32 {
    if prepared.len() == prepared_words_i8(x.len())
        && let Some((to, padding)) = bytemuck::cast_slice_mut(prepared).split_at_mut_checked(x.len())
    {
        copy_i8(x, to);
        if !padding.is_empty() {
            padding.fill(0_i8);
        }
    }
    0
}

/// The shape of a matrix as its arrays tell it: columns of `x`, and whether everything fits.
#[inline]
fn columns(block_words: fn(usize) -> usize, blocks: &[u32], prepared: &[u32], rows: usize) -> Option<usize> {
    let columns = prepared.len().checked_mul(4)?;
    let words = block_words(columns).checked_mul(rows / ROWS)?;
    let fits = columns.is_multiple_of(GROUP) && rows.is_multiple_of(ROWS) && words == blocks.len();
    fits.then_some(columns)
}

/// A byte of a block's weights.
fn byte(block: &[u32], index: usize) -> i8 {
    bytemuck::cast_slice(block).get(4 * ROWS + index).copied().unwrap_or(0)
}

/// A start value (`row` below [`ROWS`]).
fn start(block: &[u32], row: usize) -> i32 {
    block.get(row).map_or(0, |&word| word as i32)
}

/// A weight of a block; 0 for one that is not there.
pub fn weight_i8(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
    if row >= ROWS || column >= padded_i8(columns) {
        return 0;
    }
    byte(block, (column / GROUP * ROWS + row) * GROUP + column % GROUP)
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
    let weight = |row: usize, column: usize| if row < rows { weight(row, column) } else { 0 };
    let bias = |row: usize| if row < rows { bias.get(row).copied().unwrap_or(0) } else { 0 };
    pack(multiplier, rows, columns, ROWS, bias, |first, line, column| weight(first + line, column))
}

/// What both precisions share: `lines` bytes per column and block, each made by `byte(first row, line, column)`.
#[cfg(feature = "alloc")]
fn pack(
    multiplier: &[i32],
    rows: usize,
    columns: usize,
    lines: usize,
    start: impl Fn(usize) -> i32,
    byte: impl Fn(usize, usize, usize) -> i8,
) -> Vec<u32> {
    let mut words = Vec::new();
    for first in (0..rows).step_by(ROWS) {
        words.extend((first..first + ROWS).map(|row| start(row) as u32));
        for group in (0..padded_i8(columns)).step_by(GROUP) {
            for line in 0..lines {
                for column in (group..group + GROUP).step_by(4) {
                    words.push(u32::from_le_bytes([0, 1, 2, 3].map(|at| byte(first, line, column + at) as u8)));
                }
            }
        }
        let multiplier = |row: usize| if row < rows { multiplier.get(row).copied().unwrap_or(0) } else { 0 };
        words.extend((first..first + ROWS).map(|row| multiplier(row) as u32));
    }
    words
}

#[cfg(feature = "int4")]
pub use int4::*;

#[cfg(feature = "int4")]
mod int4 {
    use super::*;

    /// Values of a segment with its padding.
    pub const fn padded_i4(width: usize) -> usize {
        padded_i8(width)
    }

    /// `u32` words of a block for so many columns, padding included. A multiple of four.
    pub const fn block_words_i4(columns: usize) -> usize {
        2 * ROWS + padded_i4(columns) * ROWS / 8
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
        if row >= ROWS || column >= padded_i4(columns) {
            return 0;
        }
        let byte = i32::from(byte(block, (column / GROUP * (ROWS / 2) + row / 2) * GROUP + column % GROUP));
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

    /// As [`pack_i8`], for weights in -7..=7 and biases below 2^23 in magnitude.
    #[cfg(feature = "alloc")]
    pub fn pack_i4(
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
        rows: usize,
        columns: usize,
    ) -> Vec<u32> {
        let weight = |row: usize, column: usize| if row < rows { weight(row, column) } else { 0 };
        let bias = |row: usize| if row < rows { bias.get(row).copied().unwrap_or(0) } else { 0 };
        let start = |row: usize| {
            let below = if row.is_multiple_of(2) { 0 } else { bias(row - 1) };
            bias(row).wrapping_mul(16).wrapping_add(below)
        };
        pack(multiplier, rows, columns, ROWS / 2, start, |first, pair, column| {
            let [even, odd] = [0, 1].map(|at| weight(first + 2 * pair + at, column));
            odd.wrapping_mul(16).wrapping_add(even)
        })
    }
}
