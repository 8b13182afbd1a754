//! Rows of 4-bit weights.

pub use super::prepare;
use super::{dot, parts, requantize};
use crate::activation::Curve;
use crate::kernels::layout::vector128::sizes::int4::block_words;
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
        let (pairs, _) = acc.as_chunks_mut::<2>();
        for (group, x) in weights.chunks_exact(ROWS / 2 * COLUMNS).zip(x.chunks_exact(COLUMNS)) {
            for ([even, odd], bytes) in pairs.iter_mut().zip(group.as_chunks::<COLUMNS>().0) {
                *odd = dot(*odd, bytes, x);
                *even = dot(*even, &bytes.map(|byte| byte << 4), x);
            }
        }
        // Turns 16 * acc0 and 16 * acc1 + acc0 into 256 * acc0 and 256 * acc1.
        for [even, odd] in pairs {
            *odd = (*odd << 4).wrapping_sub(*even);
            *even <<= 4;
        }
        for ((out, acc256), multiplier) in out.iter_mut().zip(acc).zip(multipliers) {
            *out = last(requantize(acc256, multiplier));
        }
    }
}
