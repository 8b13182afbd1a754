//! Layout `Lanes16`: four rows to a block, two rows to a 32-bit word, for cores that multiply 32 by 32 bits to 32 bits
//! and have no instruction for two products. Cortex-M0, Cortex-M3 and RISC-V (RV32IM) have kernels in assembly. The
//! definition, `portable`, is the same algorithm in plain Rust and runs on all other cores.
//!
//! Everything below is modulo 2^32. A word has two 16-bit lanes: row A is the low one, row B the high one.
//!
//! # Eight bits: two rows times two columns with two multiplications
//!
//! Weights are stored with an offset, `u = w + 128`, in bytes; `REV16` swaps the bytes of both lanes in one
//! instruction:
//!
//! ```text
//! R        = a0 + 2^8 a1 + 2^16 (b0 + 2^8 b1)          a, b: the offset weights of columns 0 and 1 in rows A and B
//! REV16(R) = a1 + 2^8 a0 + 2^16 (b1 + 2^8 b0)
//! c R + d REV16(R) = (a0 x0 + a1 x1) + 2^16 (b0 x0 + b1 x1)
//!     where c + 2^8 d = x0 and 2^8 c + d = x1
//!     so    c = (x0 - 2^8 x1) / (1 - 2^16) = (x0 - 2^8 x1) (1 + 2^16),  as (1 - 2^16)(1 + 2^16) = 1
//!           d = x1 - 2^8 c
//! ```
//!
//! One addition subtracts the offset and moves the low lane into the middle of its 16 bits:
//!
//! ```text
//! k = 2^15 - 128 (x0 + x1) (1 + 2^16)
//! P = c R + d REV16(R) + k = (A + 2^15) + 2^16 B       A, B: what the two columns add to the sums of the rows
//! ```
//!
//! `|A|, |B| <= 2 * 127 * 127 = 32,258 < 2^15`, so `A + 2^15` neither borrows from the high lane nor carries into it,
//! and `P >> 16` (arithmetic) is exactly `B`. Two 32-bit accumulators per pair of rows sum over all pairs of columns:
//!
//! ```text
//! total += P             high += P >> 16
//! sum of B = high        sum of A = total - 2^16 high - 2^15 n       n pairs of columns
//! ```
//!
//! Both sums are below 2^23 in magnitude, so their values modulo 2^32 determine them. The number of columns does not
//! matter. The start values of the block contain `- 2^15 n` and the biases. Prepared input: `c d k` per pair.
//!
//! # Four bits: two rows times four columns with four multiplications
//!
//! Offset `n = w + 8`; nibble `i` of a lane is column `i`. With `N = (R >> 4) & 0x0f0f0f0f`, only the odd columns:
//!
//! ```text
//! sum = c0 R + c1 REV16(R) + c2 N + c3 REV16(N)
//!     c0 + 2^8 c1 = x0              2^8 c0 + c1 = x2                  even columns, which only R has
//!     c2 + 2^8 c3 = x1 - 16 x0      2^8 c2 + c3 = x3 - 16 x2          odd columns: R has them 16 times
//! ```
//!
//! A lane can sum 32 columns: `32 * 7 * 127 = 28,448 < 2^15`. So the sum of 32 columns starts with one
//! `k = 2^15 - 8 (1 + 2^16) (x0 + ... + x31)`, and is added to `total` and `high` at its end. Prepared input: `k`, then
//! eight times `c0 c1 c2 c3`.
//!
//! # Another basis, for cores without `REV16`
//!
//! RISC-V has no instruction that swaps bytes. Its kernels multiply other parts of the same words, so that only the
//! coefficients differ. Eight bits, with the odd columns `S = (R >> 8) & 0x00ff00ff`:
//!
//! ```text
//! c R + d S = (a0 x0 + a1 x1) + 2^16 (b0 x0 + b1 x1)        where c = x0 and 2^8 c + d = x1
//! ```
//!
//! Four bits: the columns 2 and 3 remain where they are. The upper half of a product with a coefficient that is shifted
//! to the left is a product that is shifted to the right, which saves a shift of each word:
//!
//! ```text
//! sum = c0 (R & 0x00ff00ff)                  c0 = x0              columns 0 and 1, column 1 16 times
//!     + c1 ((R >> 4) & 0x000f000f)           c1 = x1 - 16 x0      column 1
//!     + c2 (R & 0x0f000f00) / 2^32           c2 = 2^24 x2         column 2, 2^8 times
//!     + c3 (R & 0xf000f000) / 2^32           c3 = 2^20 x3         column 3, 2^12 times
//! ```
//!
//! Both quotients are whole numbers. `basis` has the definitions of both bases; the tests run both.
//!
//! # Block
//!
//! ```text
//! total01 high01 total23 high23          start values; rows 0 and 2 are low lanes, 1 and 3 high lanes
//! R01 R23  R01 R23  ...                  columns in ascending order: two to a word (eight bits) or four (four bits)
//! m0 m1 m2 m3                            multipliers
//! ```
//!
//! # Limits
//!
//! Activations are -127 to 127, weights -127 to 127 (four bits: -7 to 7), multipliers 0 to 2^31 - 1, and the sum of
//! every row with its bias is below 2^23 in magnitude. Outside these limits results are wrong and may differ between
//! cores. A matrix has at least one group of columns, and at most [`LIMIT`] columns and [`LIMIT`] blocks; otherwise
//! `out` remains unchanged. For any values, nothing panics, and only the memory of the arguments is touched.

#[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "rv32im"))]
mod assembly;
mod basis;
mod block;
#[cfg(feature = "int4")]
mod int4;
mod int8;
mod portable;
mod prepare;
mod sizes;
#[cfg(test)]
mod tests;

#[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "rv32im"))]
use assembly as chosen;
#[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "rv32im")))]
use portable as chosen;

#[cfg(feature = "int4")]
pub use int4::Lanes16I4;
pub use int8::Lanes16I8;

use crate::activation::Curve;

/// Rows of a block, for both widths of the weights.
const ROWS: usize = 4;
/// True if this build computes in assembly.
const ASSEMBLY: bool = cfg!(any(kernel = "v6m", kernel = "v7m", kernel = "rv32im"));
/// Maximum number of columns and of blocks of a matrix, so that the product of both fits 32 bits.
pub const LIMIT: usize = 0x7fff;

/// Words for the start values and multipliers of a block.
const EDGE_WORDS: usize = 2 * ROWS;
/// Middle of the low lane.
const MIDDLE: u32 = 1 << 15;

/// Computes the curve's entries of rows, 16 blocks at a time: enough to make a call's cost small, few enough for a
/// small stack.
#[inline]
fn each_entry(blocks: &[u32], words: usize, curve: &Curve, out: &mut [i8], rows: impl Fn(&[u32], &mut [i32])) {
    const AT_ONCE: usize = 16;
    let mut buffer = [0; AT_ONCE * ROWS];
    let (mut blocks, mut out) = (blocks, out);
    // Not `chunks`, which divides: Cortex-M0 has no instruction for divisions.
    while !out.is_empty() {
        let (now, later) = out.split_at_mut(out.len().min(AT_ONCE * ROWS));
        let Some((these, rest)) = blocks.split_at_checked((now.len() / ROWS).saturating_mul(words)) else { return };
        let Some(buffer) = buffer.get_mut(..now.len()) else { return };
        rows(these, buffer);
        // One block at a time: compiled for size, the overhead of a loop over rows equals the work on a row.
        let (fours, rows) = (now.as_chunks_mut::<ROWS>().0, buffer.as_chunks::<ROWS>().0);
        for (out, &[a, b, c, d]) in fours.iter_mut().zip(rows) {
            *out = [curve.at(a), curve.at(b), curve.at(c), curve.at(d)];
        }
        (blocks, out) = (rest, later);
    }
}

/// Returns the inverse of an odd number modulo 2^32.
const fn inverse(odd: u32) -> u32 {
    // The start value is right in three bits. Each step doubles the number of right bits (Newton).
    let mut inverse = odd;
    let mut step = 0;
    while step < 4 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// Returns the number of groups of `WORDS` words in prepared input of `len` words.
///
/// Avoids a division, which Cortex-M0 does not have: multiplying by the inverse is the quotient if `WORDS` divides the
/// length, and otherwise a number that is too large.
#[inline]
fn groups<const WORDS: usize>(len: usize) -> usize {
    let twos = const { WORDS.trailing_zeros() };
    let inverse = const { inverse((WORDS >> WORDS.trailing_zeros()) as u32) };
    // No truncation: a slice of words has fewer than 2^32 words if a usize has 32 bits, as on all chips.
    ((len as u32) >> twos).wrapping_mul(inverse) as usize
}

/// Returns whether blocks, prepared input and the number of rows match, for `GROUP` columns in `WORDS` prepared words.
/// [`groups`] requires the [`LIMIT`]s.
#[inline]
fn matches<const GROUP: usize, const WORDS: usize>(
    blocks: &[u32],
    prepared: &[u32],
    rows: usize,
    block_words: impl Fn(usize) -> usize,
) -> bool {
    let Ok(len) = u32::try_from(prepared.len()) else { return false };
    let groups = groups::<WORDS>(prepared.len());
    let count = rows / ROWS;
    len & const { (1 << WORDS.trailing_zeros()) - 1 } == 0
        && groups != 0
        && groups <= const { LIMIT / GROUP }
        && count <= LIMIT
        && rows.is_multiple_of(ROWS)
        && blocks.len() >= count * block_words(groups * GROUP)
}
