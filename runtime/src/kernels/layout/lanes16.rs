//! Layout `Lanes16`: four rows to a block, two rows to a 32-bit word, for cores that multiply 32 by 32 bits to 32 and
//! no more: Cortex-M0 and Cortex-M3, which have it in assembly. The definition, `portable`, is the same algorithm in plain
//! Rust, and runs on all other cores.
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
//! The offset is taken off, and the low lane moved into the middle of its 16 bits, by one addition:
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
//! Both sums are below 2^23 in magnitude, so that knowing them modulo 2^32 is knowing them; nothing depends on how many
//! columns there are. `- 2^15 n` and the biases are in the start values of the block. Prepared input: `c d k` per pair.
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
//! Lanes hold 32 columns: `32 * 7 * 127 = 28,448 < 2^15`. So one `k = 2^15 - 8 (1 + 2^16) (x0 + ... + x31)` starts the
//! sum of 32 columns, and `total` and `high` take it up at their end. Prepared input: `k`, then eight times `c0 c1 c2
//! c3`.
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
//! Activations -127 to 127; weights -127 to 127 (four bits: -7 to 7); every row's sum with its
//! bias below 2^23 in magnitude; multipliers 0 to 2^31 - 1. Outside of them results are wrong, and may differ between
//! cores. Sizes: at least one group of columns, at most [`LIMIT`] columns and as many blocks; otherwise
//! `out` is left alone. Whatever the numbers, nothing panics, and no memory is touched that was not passed.

#[cfg(any(kernel = "v6m", kernel = "v7m"))]
mod assembly;
mod block;
#[cfg(feature = "int4")]
mod int4;
mod int8;
mod portable;
mod prepare;
mod sizes;
#[cfg(test)]
mod tests;

#[cfg(any(kernel = "v6m", kernel = "v7m"))]
use assembly as chosen;
#[cfg(not(any(kernel = "v6m", kernel = "v7m")))]
use portable as chosen;

#[cfg(feature = "int4")]
pub use int4::Lanes16I4;
pub use int8::Lanes16I8;

use crate::activation::Curve;

/// Rows of a block, whatever the width of the weights.
const ROWS: usize = 4;
/// Whether this build computes in assembly.
const ASSEMBLY: bool = cfg!(any(kernel = "v6m", kernel = "v7m"));
/// Most columns and most blocks of a matrix, so that their product fits 32 bits.
pub const LIMIT: usize = 0x7fff;

/// Start values and multipliers of a block.
const EDGE_WORDS: usize = 2 * ROWS;
/// The middle of the low lane.
const MIDDLE: u32 = 1 << 15;

/// Computes the curve's entries of rows, some blocks at a time: enough to make a call's cost small, few enough for a small stack.
#[inline]
fn each_entry(blocks: &[u32], words: usize, curve: &Curve, out: &mut [i8], rows: impl Fn(&[u32], &mut [i32])) {
    const AT_ONCE: usize = 16;
    let mut buffer = [0; AT_ONCE * ROWS];
    let (mut blocks, mut out) = (blocks, out);
    // Not `chunks`, which divide: Cortex-M0 has no instruction for it.
    while !out.is_empty() {
        let (now, later) = out.split_at_mut(out.len().min(AT_ONCE * ROWS));
        let Some((these, rest)) = blocks.split_at_checked((now.len() / ROWS).saturating_mul(words)) else { return };
        let Some(buffer) = buffer.get_mut(..now.len()) else { return };
        rows(these, buffer);
        // Block by block: compiled for size, a loop costs as much as a row.
        let (fours, rows) = (now.as_chunks_mut::<ROWS>().0, buffer.as_chunks::<ROWS>().0);
        for (out, &[a, b, c, d]) in fours.iter_mut().zip(rows) {
            *out = [curve.at(a), curve.at(b), curve.at(c), curve.at(d)];
        }
        (blocks, out) = (rest, later);
    }
}

/// Returns the inverse of an odd number modulo 2^32.
const fn inverse(odd: u32) -> u32 {
    // Right in three bits to begin with; each step doubles them (Newton).
    let mut inverse = odd;
    let mut step = 0;
    while step < 4 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// Returns the groups of `WORDS` words in prepared input of so many words.
///
/// Without a division, which Cortex-M0 does not have: where `WORDS` divides the length, multiplying with the inverse
/// gives the quotient, and elsewhere something that is too large.
#[inline]
fn groups<const WORDS: usize>(len: usize) -> usize {
    let twos = const { WORDS.trailing_zeros() };
    let inverse = const { inverse((WORDS >> WORDS.trailing_zeros()) as u32) };
    // A slice of words has less than 2^32 of them where a usize has 32 bits, and no chip another.
    ((len as u32) >> twos).wrapping_mul(inverse) as usize
}

/// Returns whether blocks, prepared input and output belong together, for `GROUP` columns in `WORDS` prepared words. For the sake of
/// [`groups`] there are [`LIMIT`]s.
#[inline]
fn matches<const GROUP: usize, const WORDS: usize>(
    blocks: &[u32],
    prepared: &[u32],
    out: &[i32],
    block_words: impl Fn(usize) -> usize,
) -> bool {
    let Ok(len) = u32::try_from(prepared.len()) else { return false };
    let groups = groups::<WORDS>(prepared.len());
    let count = out.len() / ROWS;
    len & const { (1 << WORDS.trailing_zeros()) - 1 } == 0
        && groups != 0
        && groups <= const { LIMIT / GROUP }
        && count <= LIMIT
        && out.len().is_multiple_of(ROWS)
        && blocks.len() >= count * block_words(groups * GROUP)
}
