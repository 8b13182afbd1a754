//! Layout `Vector128`, for the vector extension of Cortex-M55 and M85 (MVE, "Helium"), whose registers hold 16 bytes.
//!
//! # Memory order
//!
//! Rows are in blocks of 8, columns in groups of 16. The kernel reads a block once, from start to end:
//!
//! ```text
//! block:    8 start values (i32) | group 0 | group 1 | ... | 8 multipliers (i32)
//!
//! group, 8 bits:  row 0: 16 bytes | row 1: 16 bytes | ... | row 7: 16 bytes
//! group, 4 bits:  rows 0 and 1: 16 bytes | rows 2 and 3 | rows 4 and 5 | rows 6 and 7
//! ```
//!
//! A prepared input is the activations themselves. Zeros pad each position to whole words, and all positions together
//! to whole groups: two positions of 88 are eleven groups; two positions of 90 are 92 each, which with eight more
//! columns are twelve groups.
//!
//! # 8 bits
//!
//! A start value is the bias; the sum of a row is `bias + sum w[c] * x[c]`.
//!
//! # 4 bits: two rows in a byte
//!
//! The byte of column c for rows 2p and 2p + 1 is, with a borrow, `b[c] = 16 * w1[c] + w0[c]`: |b| <= 16 * 7 + 7 = 119,
//! a signed byte. Shifted left by four it is `16 * w0[c]` in a signed byte, because the upper half is shifted out. Two
//! multiplications compute, without unpacking the upper half,
//!
//! ```text
//! even = start0 + sum (b[c] << 4) * x[c] = 16 * acc0                 start0 = 16 * bias0
//! odd  = start1 + sum  b[c]       * x[c] = 16 * acc1 + acc0          start1 = 16 * bias1 + bias0
//! ```
//!
//! and `16 * odd - even = 256 * acc1`. All of it holds modulo 2^32, and |256 * acc| < 2^31. The usual way, one row's
//! even and odd columns in a byte, needs one more instruction, an AND, for each pair.
//!
//! # Requantization
//!
//! VRMULH computes `(a * b + 2^31) >> 32`. With `a = 256 * acc` that is the definition,
//! `(acc * multiplier + 2^23) >> 24`.

#[cfg(feature = "int4")]
mod int4;
mod int8;
#[cfg(kernel = "mve")]
pub(crate) mod mve;
mod portable;
mod sizes;
#[cfg(test)]
mod tests;

#[cfg(kernel = "mve")]
use mve as chosen;
#[cfg(not(kernel = "mve"))]
use portable as chosen;

#[cfg(feature = "int4")]
pub use int4::Vector128I4;
pub use int8::Vector128I8;

/// True if this build computes in assembly.
const ASSEMBLY: bool = cfg!(kernel = "mve");
/// Rows of a block, for both widths of the weights.
const ROWS: usize = 8;
/// Columns of a group, for both widths of the weights: the bytes of a vector.
const COLUMNS: usize = 16;

/// Returns the columns of a matrix whose prepared input has `prepared` words, or `None` if these are not whole groups.
#[inline]
const fn columns(prepared: usize) -> Option<usize> {
    // No layer has more columns.
    const MAX_COLUMNS: usize = 1 << 17;
    if prepared > MAX_COLUMNS / 4 || !prepared.is_multiple_of(COLUMNS / 4) { None } else { Some(4 * prepared) }
}

/// Returns whether `blocks` contains the blocks of that many rows. Each block has `block_words` words.
#[inline]
const fn contains_rows(blocks: &[u32], block_words: usize, rows: usize) -> bool {
    // No layer has more rows. The product fits 32 bits.
    const MAX_ROWS: usize = 1 << 13;
    rows <= MAX_ROWS && rows.is_multiple_of(ROWS) && rows > 0 && block_words * (rows / ROWS) <= blocks.len()
}

/// Returns a byte of a block's weights.
fn byte(block: &[u32], index: usize) -> i8 {
    bytemuck::cast_slice(block).get(4 * ROWS + index).copied().unwrap_or(0)
}

/// Returns a start value. `row` is below [`ROWS`].
fn start(block: &[u32], row: usize) -> i32 {
    block.get(row).map_or(0, |&word| word as i32)
}

fn multiplier(block: &[u32], words: usize, row: usize) -> i32 {
    if row < ROWS { block.get(words - ROWS + row).map_or(0, |&word| word as i32) } else { 0 }
}

/// Writes a block of either width: `lines` bytes per column, each from `byte(line, column)`.
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
