//! Rows of 4-bit weights.

use super::{blocks_of, dot};
use crate::activation::Curve;
use crate::kernels::layout::lanes16::each_entry;
use crate::kernels::layout::lanes16::prepare::{coefficients, constant, segment};
use crate::kernels::layout::lanes16::sizes::int4::{GROUP, WORDS, block_words, block_words_for, matches};

/// Prepares the activations of a position, 33 words for 32 values; otherwise like the function for 8 bits.
#[inline(never)]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    segment::<GROUP, WORDS>(x, prepared, WORDS, |x, prepared| {
        let (groups, _) = prepared.as_chunks_mut::<WORDS>();
        for (x, [k, words @ ..]) in x.chunks_exact(GROUP).zip(groups) {
            *k = nibbles_constant(x);
            for (&x, words) in x.as_chunks().0.iter().zip(words.as_chunks_mut().0) {
                *words = nibbles(x);
            }
        }
    });
    0
}

/// Computes the rows of whole blocks.
#[inline(never)]
pub fn rows(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    if !matches(blocks, prepared, out) {
        return;
    }
    let (prepared, _) = prepared.as_chunks::<WORDS>();
    blocks_of(blocks, block_words(GROUP * prepared.len()), out, |weights, pairs| {
        for (words, [k, coefficients @ ..]) in weights.as_chunks::<{ GROUP / 4 }>().0.iter().zip(prepared) {
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

/// Computes the curve's entries of the rows of whole blocks.
#[inline(never)]
pub fn rows_curve(blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]) {
    let words = block_words_for(prepared.len());
    each_entry(blocks, words, curve, out, |blocks, out| rows(blocks, prepared, constant, out));
}

/// Returns the words of four columns, without their constant.
#[inline]
fn nibbles(x: [i8; 4]) -> [u32; 4] {
    let [x0, x1, x2, x3] = x.map(i32::from);
    let [c0, c1] = coefficients(x0, x2);
    let [c2, c3] = coefficients(x1 - (x0 << 4), x3 - (x2 << 4));
    [c0, c1, c2, c3]
}

/// Returns the constant of a group.
#[inline]
fn nibbles_constant(x: &[i8]) -> u32 {
    constant(x.iter().map(|&x| i32::from(x)).sum(), 3)
}
