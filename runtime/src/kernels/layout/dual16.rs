//! Layout `Dual16`: for cores that multiply two pairs of 16-bit halves in one instruction (Cortex-M4, M7, M33: `SMLAD`).
//!
//! What stands here is the definition, and the code of every core without these instructions; `dual16/dsp.rs` is the same
//! algorithm in assembly. A register holds two lanes of 16 bits, written `(low, high)` below; all sums wrap at 32 bits.
//!
//! # Two tricks
//!
//! **Raw words.** Loading a word costs a quarter of an instruction, taking it apart costs a whole one. So what is multiplied
//! first is the word as it is, and what the neighbours put in is taken back by the coefficient of the next product. Two
//! 8-bit weights share a lane, `h = w0 + 256 w1` (signed: `w0` borrows from `w1`), so that
//!
//! ```text
//! h * x1  +  w0 * (256 x0 - x1)  =  256 (w0 x0 + w1 x1)
//! ```
//!
//! Both coefficients fit 16 bits, since activations are at most 127. The factor of 256 vanishes when the sum is requantized.
//!
//! **Two products for one** (Winograd, "A New Algorithm for Inner Product", 1968). To multiply the extracted weights of two
//! words `v`, `w` by coefficients `a`, `b`, one multiplication is enough:
//!
//! ```text
//! (b + v) * (a + w)  =  a v + b w  +  a b  +  v w
//! ```
//!
//! `a b` depends on the input alone: the kernel is given its sum, computed once for all rows. `v w` depends on the weights
//! alone: it is part of the row's start value. Extraction and addition are one instruction (`SXTAB16`).
//!
//! Together: 5 instructions for 8 multiply-accumulates, where products of extracted halves would need 8.
//!
//! # Blocks
//!
//! ```text
//! 8 bits   4 rows    start [4], per 8 columns: [row][2 words], multiplier [4]
//!          word: columns 0 1 | 2 3 as w0 + 256 w1 | w2 + 256 w3
//! 4 bits   2 rows    start [2], per 16 columns: [row][2 words], multiplier [2]
//!          word: columns 0 1 4 5 | 2 3 6 7 as nibbles, the first three of a lane offset by 8, the last in two's complement
//! ```
//!
//! `start` is the bias times 256 (4 bits: 16) less the row's sum of `v w`. Widths are padded to whole groups with zeros.
//!
//! # Four bits
//!
//! A lane is `h = u0 + 16 u1 + 256 u4 + 4096 s5`, where `u = w + 8`. Its upper byte, signed, is `f = u4 + 16 s5`.
//!
//! ```text
//! h * x1  +  f * (x5 - 256 x1)  +  u0 * (16 x0 - x1)  +  u4 * (16 x4 - x5)  =  16 (u0 x0 + u1 x1 + u4 x4 + s5 x5)
//! ```
//!
//! The offsets add `16 * 8 (x0 + x1 + x4)`, which is part of the input's constant. The products of `u0` and `u4` are one
//! pair, those of `f` in two neighbouring words the other: 29 instructions for 32 multiply-accumulates. The coefficients of
//! `u0` and `u4` are kept 2048 larger, since an activation offset by 128 is cheaper to multiply by 16; the row's part of
//! the difference is in its start value.
//!
//! Why 4 bits take more instructions than 8: a product gives one coefficient to each of two lanes, and a lane of four
//! weights needs four. The first is free (the raw word), the others are extracted.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

#[cfg(kernel = "dsp")]
mod dsp;

#[cfg(feature = "alloc")]
use super::blocks::blocks;
use crate::quant::{requantize, tanh_i8};

/// Whether this build has the kernels in assembly; without them their definitions stand behind the same names.
pub const ASSEMBLY: bool = cfg!(kernel = "dsp");

/// Rows of a block of 8-bit weights.
pub const ROWS_I8: usize = 4;
/// Columns of a group: widths are padded to a multiple of it.
pub const COLUMNS_I8: usize = 8;
/// Columns that are prepared together: all of a group.
pub const PART_I8: usize = COLUMNS_I8;
/// Words of the prepared input per group.
const WORDS_I8: usize = 4;
/// Words of the prepared input of [`PART_I8`] columns.
pub const PART_WORDS_I8: usize = WORDS_I8;

/// Words of a block of [`ROWS_I8`] rows; `columns` is a multiple of [`COLUMNS_I8`].
pub const fn block_words_i8(columns: usize) -> usize {
    ROWS_I8 + columns * ROWS_I8 / 4 + ROWS_I8
}

/// Words of the prepared input; `columns` is a multiple of [`COLUMNS_I8`].
pub const fn prepared_words_i8(columns: usize) -> usize {
    columns / COLUMNS_I8 * WORDS_I8
}

/// Activations in the form [`rows_i8`] reads, for one position of the level: per group the words
/// `(x1, x3)`, `(x5, x7)`, `(256 x0 - x1, 256 x2 - x3)`, `(256 x4 - x5, 256 x6 - x7)`.
///
/// `x` in -127 to 127; what is missing in the last group counts as zero. Gives the position's share of the constant of
/// [`rows_i8`].
pub fn prepare_i8(x: &[i8], prepared: &mut [u32]) -> i32 {
    #[cfg(kernel = "dsp")]
    return dsp::prepare_i8(x, prepared);
    #[cfg(not(kernel = "dsp"))]
    prepare_i8_portable(x, prepared)
}

/// The definition of [`prepare_i8`].
pub fn prepare_i8_portable(x: &[i8], prepared: &mut [u32]) -> i32 {
    let (groups, _) = prepared.as_chunks_mut::<WORDS_I8>();
    let mut constant = 0_i32;
    for (x, group) in x.chunks(COLUMNS_I8).zip(groups) {
        let x = |at: usize| x.get(at).map_or(0, |&x| i32::from(x));
        let y = |at: usize| 256 * x(at) - x(at + 1);
        *group = [lanes(x(1), x(3)), lanes(x(5), x(7)), lanes(y(0), y(2)), lanes(y(4), y(6))];
        constant = constant.wrapping_sub(smlad(group[2], group[3], 0));
    }
    constant
}

/// `out[row] = requantize(bias[row] + sum(w[row][c] * x[c]), multiplier[row])` for the rows of whole blocks.
///
/// Shapes: `blocks` `[n][block_words_i8(columns)]`, `prepared` `[prepared_words_i8(columns)]`, `out` `[n * ROWS_I8]`; where they
/// do not match, `out` is not what it should be. `constant` is the sum of what [`prepare_i8`] gave for each position.
pub fn rows_i8(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
    #[cfg(kernel = "dsp")]
    dsp::rows_i8(blocks, prepared, constant, out);
    #[cfg(not(kernel = "dsp"))]
    rows_i8_portable(blocks, prepared, constant, out);
}

/// [`rows_i8`], and [`tanh_i8`] of them.
pub fn rows_tanh_i8(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i8]) {
    #[cfg(kernel = "dsp")]
    dsp::rows_tanh_i8(blocks, prepared, constant, out);
    #[cfg(not(kernel = "dsp"))]
    rows_tanh_i8_portable(blocks, prepared, constant, out);
}

/// The definition of [`rows_i8`].
pub fn rows_i8_portable(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
    each_row_i8(blocks, prepared, constant, out, |row| row);
}

/// The definition of [`rows_tanh_i8`].
pub fn rows_tanh_i8_portable(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i8]) {
    each_row_i8(blocks, prepared, constant, out, tanh_i8);
}

fn each_row_i8<T>(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [T], last: impl Fn(i32) -> T) {
    let words = block_words_i8(prepared.len() / WORDS_I8 * COLUMNS_I8);
    let (x, _) = prepared.as_chunks::<WORDS_I8>();
    let (out, _) = out.as_chunks_mut::<ROWS_I8>();
    for (block, out) in blocks.chunks_exact(words).zip(out) {
        let Some((start, rest)) = block.split_first_chunk::<ROWS_I8>() else { return };
        let Some((weights, multiplier)) = rest.split_last_chunk::<ROWS_I8>() else { return };
        let (groups, _) = weights.as_chunks::<{ 2 * ROWS_I8 }>();
        let mut acc = start.map(|start| (start as i32).wrapping_add(constant));
        for (group, &[c1, c2, y1, y2]) in groups.iter().zip(x) {
            let (rows, _) = group.as_chunks::<2>();
            for (acc, &[v, w]) in acc.iter_mut().zip(rows) {
                *acc = smlad(v, c1, *acc);
                *acc = smlad(w, c2, *acc);
                *acc = smlad(sxtab16(y2, v), sxtab16(y1, w), *acc);
            }
        }
        for ((out, acc), &multiplier) in out.iter_mut().zip(acc).zip(multiplier) {
            // Exact: the sum is a multiple of 256.
            *out = last(requantize(acc >> 8, multiplier as i32));
        }
    }
}

/// The weight in `row`, `column` of a block; 0 outside.
pub fn weight_i8(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
    if row >= ROWS_I8 || column >= columns {
        return 0;
    }
    let at = ROWS_I8 + (column / 8 * ROWS_I8 + row) * 2 + column % 8 / 4;
    let word = block.get(at).copied().unwrap_or(0);
    let lane = if column % 4 < 2 { low(word) } else { high(word) };
    let even = lane as i8;
    // What is left is a multiple of 256; a lane of -32,768 or so wraps to a byte that packing would not give.
    if column.is_multiple_of(2) { even } else { ((lane - i32::from(even)) >> 8) as i8 }
}

/// The products of weights with weights that are part of a row's start value.
fn cross_i8(block: &[u32], columns: usize, row: usize) -> i32 {
    let weights = block.get(ROWS_I8..).and_then(|weights| weights.get(..columns * ROWS_I8 / 4)).unwrap_or(&[]);
    let (groups, _) = weights.as_chunks::<{ 2 * ROWS_I8 }>();
    groups.iter().fold(0, |acc, group| {
        let (rows, _) = group.as_chunks::<2>();
        rows.get(row).map_or(acc, |&[v, w]| smlad(sxtab16(0, v), sxtab16(0, w), acc))
    })
}

/// The bias of a row; `None` if its start value cannot stand for one.
pub fn bias_i8(block: &[u32], columns: usize, row: usize) -> Option<i32> {
    let start = *block.get(..ROWS_I8)?.get(row)? as i32;
    let scaled = start.wrapping_add(cross_i8(block, columns, row));
    (scaled & 255 == 0).then_some(scaled >> 8)
}

/// The multiplier of a row; 0 outside.
pub fn multiplier_i8(block: &[u32], columns: usize, row: usize) -> i32 {
    block.get(ROWS_I8 + columns..).and_then(|multiplier| multiplier.get(row)).map_or(0, |&multiplier| multiplier as i32)
}

/// Writes one block: `weight(row, column)` in -127 to 127 for every padded column, 0 for padding; `|bias| + 127 sum |w| < 2^23`
/// in every row. Does nothing where the length of `block` is not that of one.
pub fn write_block_i8(
    block: &mut [u32],
    columns: usize,
    bias: [i32; ROWS_I8],
    multiplier: [i32; ROWS_I8],
    weight: impl Fn(usize, usize) -> i8,
) {
    if block.len() != block_words_i8(columns) {
        return;
    }
    let weights = block.iter_mut().skip(ROWS_I8);
    for (index, word) in weights.enumerate().take(columns * ROWS_I8 / 4) {
        let (row, column) = (index / 2 % ROWS_I8, index / (2 * ROWS_I8) * COLUMNS_I8 + index % 2 * 4);
        let weight = |at: usize| i32::from(weight(row, column + at));
        *word = lanes(weight(0) + 256 * weight(1), weight(2) + 256 * weight(3));
    }
    if let Some((_, last)) = block.split_last_chunk_mut::<ROWS_I8>() {
        *last = multiplier.map(|multiplier| multiplier as u32);
    }
    let start: [u32; ROWS_I8] =
        core::array::from_fn(|row| (bias[row] << 8).wrapping_sub(cross_i8(block, columns, row)) as u32);
    if let Some((first, _)) = block.split_first_chunk_mut::<ROWS_I8>() {
        *first = start;
    }
}

/// The blocks of a layer: those of [`write_block_i8`]. `bias` and `multiplier` `[rows]`.
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

/// Rows of a block of 4-bit weights.
#[cfg(feature = "int4")]
pub const ROWS_I4: usize = 2;
/// Columns of a group: widths are padded to a multiple of it.
#[cfg(feature = "int4")]
pub const COLUMNS_I4: usize = 16;
/// Columns that are prepared together: all of a group.
#[cfg(feature = "int4")]
pub const PART_I4: usize = COLUMNS_I4;
/// Words of the prepared input per group.
#[cfg(feature = "int4")]
const WORDS_I4: usize = 8;
/// Words of the prepared input of [`PART_I4`] columns.
#[cfg(feature = "int4")]
pub const PART_WORDS_I4: usize = WORDS_I4;
/// The even nibbles of a word.
#[cfg(feature = "int4")]
const EVEN: u32 = 0x0f0f_0f0f;
/// What the coefficients of even nibbles are larger than they should be.
#[cfg(feature = "int4")]
const EVEN_OFFSET: i32 = 16 * 128;

/// The nibble of a word in which a column lies, of 8.
#[cfg(feature = "int4")]
const fn nibble(column: usize) -> usize {
    (column & 1) | (column & 2) << 1 | (column & 4) >> 1
}

/// Words of a block of [`ROWS_I4`] rows; `columns` is a multiple of [`COLUMNS_I4`].
#[cfg(feature = "int4")]
pub const fn block_words_i4(columns: usize) -> usize {
    ROWS_I4 + columns * ROWS_I4 / 8 + ROWS_I4
}

/// Words of the prepared input; `columns` is a multiple of [`COLUMNS_I4`].
#[cfg(feature = "int4")]
pub const fn prepared_words_i4(columns: usize) -> usize {
    columns / COLUMNS_I4 * WORDS_I4
}

/// Activations in the form [`rows_i4`] reads, for one position. Per group of 16, with `x` the first and `z` the last 8:
/// lanes for columns 0, 1, 4, 5 and 2, 3, 6, 7 of `x1`, `z1`, `x5 - 256 x1`, `z5 - 256 z1`, `16 x4 - x5 + 2048`,
/// `16 x0 - x1 + 2048`, and the last two of `z`.
///
/// As [`prepare_i8`] otherwise.
#[cfg(feature = "int4")]
pub fn prepare_i4(x: &[i8], prepared: &mut [u32]) -> i32 {
    #[cfg(kernel = "dsp")]
    return dsp::prepare_i4(x, prepared);
    #[cfg(not(kernel = "dsp"))]
    prepare_i4_portable(x, prepared)
}

/// The definition of [`prepare_i4`].
#[cfg(feature = "int4")]
pub fn prepare_i4_portable(x: &[i8], prepared: &mut [u32]) -> i32 {
    let (groups, _) = prepared.as_chunks_mut::<WORDS_I4>();
    let mut constant = 0_i32;
    for (x, group) in x.chunks(COLUMNS_I4).zip(groups) {
        let x = |at: usize| x.get(at).map_or(0, |&x| i32::from(x));
        let raw = |at: usize| lanes(x(at + 1), x(at + 3));
        let upper = |at: usize| lanes(x(at + 5) - 256 * x(at + 1), x(at + 7) - 256 * x(at + 3));
        let even = |at: usize| 16 * x(at) - x(at + 1) + EVEN_OFFSET;
        let second = |at: usize| lanes(even(at + 4), even(at + 6));
        let first = |at: usize| lanes(even(at), even(at + 2));
        *group = [raw(0), raw(8), upper(0), upper(8), second(0), first(0), second(8), first(8)];
        let products = smlad(group[2], group[3], smlad(group[4], group[5], smlad(group[6], group[7], 0)));
        let offset: i32 = [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 14].into_iter().map(x).sum();
        constant = constant.wrapping_sub(products).wrapping_sub(16 * 8 * offset);
    }
    constant
}

/// As [`rows_i8`], for 4-bit weights.
#[cfg(feature = "int4")]
pub fn rows_i4(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
    #[cfg(kernel = "dsp")]
    dsp::rows_i4(blocks, prepared, constant, out);
    #[cfg(not(kernel = "dsp"))]
    rows_i4_portable(blocks, prepared, constant, out);
}

/// [`rows_i4`], and [`tanh_i8`] of them.
#[cfg(feature = "int4")]
pub fn rows_tanh_i4(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i8]) {
    #[cfg(kernel = "dsp")]
    dsp::rows_tanh_i4(blocks, prepared, constant, out);
    #[cfg(not(kernel = "dsp"))]
    rows_tanh_i4_portable(blocks, prepared, constant, out);
}

/// The definition of [`rows_i4`].
#[cfg(feature = "int4")]
pub fn rows_i4_portable(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
    each_row_i4(blocks, prepared, constant, out, |row| row);
}

/// The definition of [`rows_tanh_i4`].
#[cfg(feature = "int4")]
pub fn rows_tanh_i4_portable(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i8]) {
    each_row_i4(blocks, prepared, constant, out, tanh_i8);
}

#[cfg(feature = "int4")]
fn each_row_i4<T>(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [T], last: impl Fn(i32) -> T) {
    let words = block_words_i4(prepared.len() / WORDS_I4 * COLUMNS_I4);
    let (x, _) = prepared.as_chunks::<WORDS_I4>();
    let (out, _) = out.as_chunks_mut::<ROWS_I4>();
    for (block, out) in blocks.chunks_exact(words).zip(out) {
        let Some((start, rest)) = block.split_first_chunk::<ROWS_I4>() else { return };
        let Some((weights, multiplier)) = rest.split_last_chunk::<ROWS_I4>() else { return };
        let (groups, _) = weights.as_chunks::<{ 2 * ROWS_I4 }>();
        let mut acc = start.map(|start| (start as i32).wrapping_add(constant));
        for (group, &[raw_v, raw_w, upper_v, upper_w, second_v, first_v, second_w, first_w]) in groups.iter().zip(x) {
            let (rows, _) = group.as_chunks::<2>();
            for (acc, &[v, w]) in acc.iter_mut().zip(rows) {
                *acc = smlad(v, raw_v, *acc);
                *acc = smlad(w, raw_w, *acc);
                *acc = smlad(sxtab16(upper_w, v >> 8), sxtab16(upper_v, w >> 8), *acc);
                let (v, w) = (v & EVEN, w & EVEN);
                *acc = smlad(sxtab16(second_v, v), sxtab16(first_v, v >> 8), *acc);
                *acc = smlad(sxtab16(second_w, w), sxtab16(first_w, w >> 8), *acc);
            }
        }
        for ((out, acc), &multiplier) in out.iter_mut().zip(acc).zip(multiplier) {
            // Exact: the sum is a multiple of 16.
            *out = last(requantize(acc >> 4, multiplier as i32));
        }
    }
}

/// The weight in `row`, `column` of a block; 0 outside.
#[cfg(feature = "int4")]
pub fn weight_i4(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
    if row >= ROWS_I4 || column >= columns {
        return 0;
    }
    let at = ROWS_I4 + (column / 16 * ROWS_I4 + row) * 2 + column % 16 / 8;
    let at_nibble = nibble(column % 8);
    let bits = block.get(at).copied().unwrap_or(0) >> (4 * at_nibble) & 15;
    if at_nibble % 4 < 3 { bits as i8 - 8 } else { (bits << 4) as i8 >> 4 }
}

/// The products of weights with weights that are part of a row's start value.
#[cfg(feature = "int4")]
fn cross_i4(block: &[u32], columns: usize, row: usize) -> i32 {
    let weights = block.get(ROWS_I4..).and_then(|weights| weights.get(..columns * ROWS_I4 / 8));
    let (groups, _) = weights.unwrap_or(&[]).as_chunks::<{ 2 * ROWS_I4 }>();
    groups.iter().fold(0, |acc, group| {
        let (rows, _) = group.as_chunks::<2>();
        rows.get(row).map_or(acc, |&[v, w]| {
            let mut acc = smlad(sxtab16(0, v >> 8), sxtab16(0, w >> 8), acc);
            for even in [v & EVEN, w & EVEN] {
                // The offset of both coefficients: (2048 + u)(2048 + v) less what does not depend on the weights.
                let offset = lanes(EVEN_OFFSET, EVEN_OFFSET);
                acc = smlad(sxtab16(offset, even), sxtab16(offset, even >> 8), acc);
                acc = acc.wrapping_sub(2 * EVEN_OFFSET * EVEN_OFFSET);
            }
            acc
        })
    })
}

/// The bias of a row; `None` if its start value cannot stand for one.
#[cfg(feature = "int4")]
pub fn bias_i4(block: &[u32], columns: usize, row: usize) -> Option<i32> {
    let start = *block.get(..ROWS_I4)?.get(row)? as i32;
    let scaled = start.wrapping_add(cross_i4(block, columns, row));
    (scaled & 15 == 0).then_some(scaled >> 4)
}

/// The multiplier of a row; 0 outside.
#[cfg(feature = "int4")]
pub fn multiplier_i4(block: &[u32], columns: usize, row: usize) -> i32 {
    let multipliers = block.get(ROWS_I4 + columns * ROWS_I4 / 8..);
    multipliers.and_then(|multiplier| multiplier.get(row)).map_or(0, |&multiplier| multiplier as i32)
}

/// As [`write_block_i8`], for weights in -7 to 7.
#[cfg(feature = "int4")]
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
    let weights = block.iter_mut().skip(ROWS_I4);
    for (index, word) in weights.enumerate().take(columns * ROWS_I4 / 8) {
        let (row, column) = (index / 2 % ROWS_I4, index / (2 * ROWS_I4) * COLUMNS_I4 + index % 2 * 8);
        let bits = |column: usize| {
            let at = nibble(column % 8);
            let offset = if at % 4 < 3 { 8 } else { 0 };
            ((i32::from(weight(row, column)) + offset) as u32 & 15) << (4 * at)
        };
        *word = (column..column + 8).map(bits).sum();
    }
    if let Some((_, last)) = block.split_last_chunk_mut::<ROWS_I4>() {
        *last = multiplier.map(|multiplier| multiplier as u32);
    }
    let start: [u32; ROWS_I4] =
        core::array::from_fn(|row| (bias[row] << 4).wrapping_sub(cross_i4(block, columns, row)) as u32);
    if let Some((first, _)) = block.split_first_chunk_mut::<ROWS_I4>() {
        *first = start;
    }
}

/// As [`pack_i8`], of [`write_block_i4`].
#[cfg(all(feature = "alloc", feature = "int4"))]
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

/// A word of two lanes; each wraps at 16 bits.
const fn lanes(low: i32, high: i32) -> u32 {
    (low as u32 & 0xffff) | (high as u32) << 16
}

const fn low(word: u32) -> i32 {
    word as i16 as i32
}

const fn high(word: u32) -> i32 {
    (word as i32) >> 16
}

/// `acc + low(a) low(b) + high(a) high(b)`, wrapping: the instruction of this name.
const fn smlad(a: u32, b: u32, acc: i32) -> i32 {
    acc.wrapping_add(low(a) * low(b)).wrapping_add(high(a) * high(b))
}

/// `(low(a) + byte 0 of b, high(a) + byte 2 of b)`, the bytes signed, the lanes wrapping: the instruction of this name.
const fn sxtab16(a: u32, b: u32) -> u32 {
    lanes(low(a) + (b as i8) as i32, high(a) + ((b >> 16) as i8) as i32)
}
