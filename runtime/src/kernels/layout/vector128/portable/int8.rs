//! Rows of 8-bit weights.

pub use super::prepare;
use super::{dot, parts, requantize};
use crate::activation::Curve;
use crate::kernels::layout::vector128::sizes::int8::block_words;
use crate::kernels::layout::vector128::{COLUMNS, ROWS, columns, contains_rows};

/// Computes the rows of whole blocks. Does nothing if lengths do not match.
// Not inlined, so that one copy serves all layers.
#[inline(never)]
pub fn rows(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    each_block(blocks, prepared, out, |value| value);
}

/// Computes the curve's entries of the rows of whole blocks.
#[inline(never)]
pub fn rows_curve(blocks: &[u32], prepared: &[u32], _constant: i32, curve: &Curve, out: &mut [i8]) {
    each_block(blocks, prepared, out, |value| curve.at(value));
}

fn each_block<T>(blocks: &[u32], prepared: &[u32], out: &mut [T], last: impl Fn(i32) -> T) {
    let Some(block_words) = columns(prepared.len()).map(block_words) else { return };
    if !contains_rows(blocks, block_words, out.len()) {
        return;
    }
    let x: &[i8] = bytemuck::cast_slice(prepared);
    for (block, out) in blocks.chunks_exact(block_words).zip(out.chunks_exact_mut(ROWS)) {
        let Some((mut acc, weights, multipliers)) = parts(block) else { return };
        for (group, x) in weights.chunks_exact(ROWS * COLUMNS).zip(x.chunks_exact(COLUMNS)) {
            for (acc, row) in acc.iter_mut().zip(group.chunks_exact(COLUMNS)) {
                *acc = dot(*acc, row, x);
            }
        }
        for ((out, acc), multiplier) in out.iter_mut().zip(acc).zip(multipliers) {
            *out = last(requantize(acc << 8, multiplier));
        }
    }
}
