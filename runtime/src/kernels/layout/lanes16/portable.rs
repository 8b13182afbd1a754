//! The packed algorithm in plain Rust: what the assembly of every core must compute, and what runs where there is none.

#[cfg(feature = "int4")]
use super::prepare::{nibbles, nibbles_constant};
use super::prepare::{pair, segment};
#[cfg(feature = "int4")]
use super::{COLUMNS_I4, WORDS_I4, block_words_i4, matches_i4};
use super::{PART_I8, PART_WORDS_I8, ROWS, WORDS_I8, block_words_i8, matches_i8};
use crate::quant::requantize;

/// Activations of a segment for [`rows_i8`]: three words for two values.
///
/// `prepared` has six words for every [`super::PART_I8`] columns, padded, up to a whole group; otherwise nothing is done. Segments
/// follow each other; all together are whole groups.
/// The share of the constant is always 0: this layout has everything in its start values.
// Not inlined: what is compiled does not depend on what surrounds it.
#[inline(never)]
pub fn prepare_i8(x: &[i8], prepared: &mut [u32]) -> i32 {
    segment::<PART_I8, PART_WORDS_I8>(x, prepared, WORDS_I8, |x, prepared| {
        for (&x, words) in x.as_chunks().0.iter().zip(prepared.as_chunks_mut().0) {
            *words = pair(x);
        }
    });
    0
}

/// As [`prepare_i8`], for [`rows_i4`]: 33 words for 32 values.
#[cfg(feature = "int4")]
#[inline(never)]
pub fn prepare_i4(x: &[i8], prepared: &mut [u32]) -> i32 {
    segment::<COLUMNS_I4, WORDS_I4>(x, prepared, WORDS_I4, |x, prepared| {
        let (groups, _) = prepared.as_chunks_mut::<WORDS_I4>();
        for (x, [k, words @ ..]) in x.chunks_exact(COLUMNS_I4).zip(groups) {
            *k = nibbles_constant(x);
            for (&x, words) in x.as_chunks().0.iter().zip(words.as_chunks_mut().0) {
                *words = nibbles(x);
            }
        }
    });
    0
}

/// Swaps the bytes of both halves: the instruction of this name.
#[inline]
fn rev16(word: u32) -> u32 {
    ((word & 0x00ff_00ff) << 8) | ((word >> 8) & 0x00ff_00ff)
}

/// `c word + d rev16(word)`.
#[inline]
fn dot([c, d]: [u32; 2], word: u32) -> u32 {
    c.wrapping_mul(word).wrapping_add(d.wrapping_mul(rev16(word)))
}

/// The accumulators of two rows.
#[derive(Clone, Copy)]
struct Pair {
    /// Row A + 2^16 row B, modulo 2^32.
    total: u32,
    /// Row B.
    high: u32,
}

impl Pair {
    /// Takes up two lanes, the low one with its middle at 2^15.
    #[inline]
    fn add(&mut self, lanes: u32) {
        self.total = self.total.wrapping_add(lanes);
        self.high = self.high.wrapping_add((lanes as i32 >> 16) as u32);
    }

    /// Rows A and B.
    #[inline]
    fn sums(self) -> [i32; 2] {
        [self.total.wrapping_sub(self.high << 16), self.high].map(|sum| sum as i32)
    }
}

/// All blocks, `sum` being what differs: it adds the columns of a block to the accumulators.
#[inline]
fn blocks_of(blocks: &[u32], words: usize, out: &mut [i32], sum: impl Fn(&[[u32; 2]], &mut [Pair; 2])) {
    let (out, _) = out.as_chunks_mut::<ROWS>();
    // A block is at least its start values and multipliers: never 0 words.
    for (block, out) in blocks.chunks_exact(words.max(1)).zip(out) {
        let Some((&[total01, high01, total23, high23], rest)) = block.split_first_chunk::<ROWS>() else { return };
        let Some((weights, multipliers)) = rest.split_last_chunk::<ROWS>() else { return };
        let mut pairs = [Pair { total: total01, high: high01 }, Pair { total: total23, high: high23 }];
        sum(weights.as_chunks().0, &mut pairs);
        let [row0, row1] = pairs[0].sums();
        let [row2, row3] = pairs[1].sums();
        for ((out, row), &multiplier) in out.iter_mut().zip([row0, row1, row2, row3]).zip(multipliers) {
            *out = requantize(row, multiplier as i32);
        }
    }
}

/// `out[row] = requantize(bias[row] + sum(w[row][column] * x[column]), multiplier[row])`, 8-bit weights.
///
/// `blocks`: whole blocks, one after the other; `prepared`: what [`prepare_i8`] made of the activations; `out`: a
/// number per row, [`super::ROWS_I8`] per block. Does nothing where they do not belong together. `constant` is 0 in this layout,
/// and not looked at. What the numbers may be stands in [`super`].
#[inline(never)]
pub fn rows_i8(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    if !matches_i8(blocks, prepared, out) {
        return;
    }
    let (prepared, _) = prepared.as_chunks::<3>();
    blocks_of(blocks, block_words_i8(2 * prepared.len()), out, |weights, pairs| {
        for (words, &[c, d, k]) in weights.iter().zip(prepared) {
            for (pair, &word) in pairs.iter_mut().zip(words) {
                pair.add(dot([c, d], word).wrapping_add(k));
            }
        }
    });
}

/// As [`rows_i8`], for 4-bit weights and prepared input of [`prepare_i4`].
#[cfg(feature = "int4")]
#[inline(never)]
pub fn rows_i4(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    if !matches_i4(blocks, prepared, out) {
        return;
    }
    let (prepared, _) = prepared.as_chunks::<WORDS_I4>();
    blocks_of(blocks, block_words_i4(COLUMNS_I4 * prepared.len()), out, |weights, pairs| {
        for (words, [k, coefficients @ ..]) in weights.as_chunks::<{ COLUMNS_I4 / 4 }>().0.iter().zip(prepared) {
            let mut lanes = [*k; 2];
            for (words, &[c0, c1, c2, c3]) in words.iter().zip(coefficients.as_chunks().0) {
                for (lanes, &word) in lanes.iter_mut().zip(words) {
                    let odd = (word >> 4) & 0x0f0f_0f0f;
                    *lanes = lanes.wrapping_add(dot([c0, c1], word)).wrapping_add(dot([c2, c3], odd));
                }
            }
            for (pair, lanes) in pairs.iter_mut().zip(lanes) {
                pair.add(lanes);
            }
        }
    });
}
