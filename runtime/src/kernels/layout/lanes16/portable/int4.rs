//! Rows of 4-bit weights.

use super::blocks_of;
use crate::activation::Curve;
use crate::kernels::layout::lanes16::basis::{Basis, Chosen};
use crate::kernels::layout::lanes16::each_entry;
use crate::kernels::layout::lanes16::prepare::{constant, segment};
use crate::kernels::layout::lanes16::sizes::int4::{GROUP, WORDS, block_words, block_words_for, matches};

/// Prepares the activations of a position, 33 words for 32 values; otherwise like the function for 8 bits.
#[inline(never)]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    prepare_in::<Chosen>(x, prepared);
    0
}

/// Prepares the activations of a position in a basis.
#[inline]
pub(in super::super) fn prepare_in<B: Basis>(x: &[i8], prepared: &mut [u32]) {
    segment::<GROUP, WORDS>(x, prepared, WORDS, |x, prepared| {
        let (groups, _) = prepared.as_chunks_mut::<WORDS>();
        for (x, [k, words @ ..]) in x.chunks_exact(GROUP).zip(groups) {
            *k = constant(x.iter().map(|&x| i32::from(x)).sum(), 3);
            for (x, words) in x.as_chunks().0.iter().zip(words.as_chunks_mut().0) {
                *words = B::quad(x.map(i32::from));
            }
        }
    });
}

/// Computes the rows of whole blocks.
#[inline(never)]
pub fn rows(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    rows_in::<Chosen>(blocks, prepared, out);
}

/// Computes the rows of whole blocks, with input that was prepared in the same basis.
#[inline]
pub(in super::super) fn rows_in<B: Basis>(blocks: &[u32], prepared: &[u32], out: &mut [i32]) {
    if !matches(blocks, prepared, out.len()) {
        return;
    }
    let (prepared, _) = prepared.as_chunks::<WORDS>();
    blocks_of(blocks, block_words(GROUP * prepared.len()), out, |weights, pairs| {
        for (words, [k, coefficients @ ..]) in weights.as_chunks::<{ GROUP / 4 }>().0.iter().zip(prepared) {
            let mut lanes = [*k; 2];
            for (words, &coefficients) in words.iter().zip(coefficients.as_chunks().0) {
                for (lanes, &word) in lanes.iter_mut().zip(words) {
                    *lanes = lanes.wrapping_add(B::sum_quad(coefficients, word));
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
