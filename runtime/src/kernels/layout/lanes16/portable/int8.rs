//! Rows of 8-bit weights.

use super::blocks_of;
use crate::activation::Curve;
use crate::kernels::layout::lanes16::basis::{Basis, Chosen};
use crate::kernels::layout::lanes16::each_entry;
use crate::kernels::layout::lanes16::prepare::{constant, segment};
use crate::kernels::layout::lanes16::sizes::int8::{PART, PART_WORDS, WORDS, block_words, block_words_for, matches};

/// Prepares the activations of a position: three words for two values.
///
/// `prepared` has six words for every [`PART`] columns, padded, up to a whole group; otherwise nothing is done.
/// Positions follow each other; all of them together are whole groups. Returns 0: the start values of this layout
/// contain all constants.
// Not inlined, so that the compiled code does not depend on the caller.
#[inline(never)]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    prepare_in::<Chosen>(x, prepared);
    0
}

/// Prepares the activations of a position in a basis.
#[inline]
pub(in super::super) fn prepare_in<B: Basis>(x: &[i8], prepared: &mut [u32]) {
    segment::<PART, PART_WORDS>(x, prepared, WORDS, |x, prepared| {
        for (x, words) in x.as_chunks::<2>().0.iter().zip(prepared.as_chunks_mut().0) {
            let x = x.map(i32::from);
            let [c, d] = B::pair(x);
            *words = [c, d, constant(x[0] + x[1], 7)];
        }
    });
}

/// Computes the rows of whole blocks, with input from [`prepare`]. Does nothing if lengths do not match.
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
    let (prepared, _) = prepared.as_chunks::<3>();
    blocks_of(blocks, block_words(2 * prepared.len()), out, |weights, pairs| {
        for (words, &[c, d, k]) in weights.iter().zip(prepared) {
            for (pair, &word) in pairs.iter_mut().zip(words) {
                pair.add(B::sum_pair([c, d], word).wrapping_add(k));
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
