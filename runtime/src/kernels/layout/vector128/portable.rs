//! What the vector instructions compute, in plain Rust: the definition of the layout, and what other targets run.
//!
//! Sums wrap, as in registers: with the weights and biases of a checked model nothing ever does.

use super::{COLUMNS, ROWS, columns};
pub use crate::kernels::routine::softmax::{pick, weigh};
use crate::quant::tanh_i8;

/// VRMULH: `256 * acc` gives [`crate::quant::requantize`] where |acc| < 2^23.
#[inline]
fn requantize(acc256: i32, multiplier: i32) -> i32 {
    let product = i64::from(acc256) * i64::from(multiplier);
    ((product + (1 << 31)) >> 32) as i32
}

/// VMLADAVA: a sum goes on with 16 products.
#[inline]
fn dot(acc: i32, w: &[i8], x: &[i8]) -> i32 {
    w.iter().zip(x).fold(acc, |acc, (&w, &x)| acc.wrapping_add(i32::from(w) * i32::from(x)))
}

/// `out[row] = requantize(bias[row] + sum w[row][c] * x[c])` for whole blocks of 8-bit weights.
///
/// Shapes: `prepared` `[prepared_words_i8(columns)]`, `blocks` `[out.len() / 8][block_words_i8(columns)]` and whatever is
/// behind. Where they do not match, nothing is done. The constant is 0 in this layout, and not looked at.
// Not inlined: one copy serves all layers.
#[inline(never)]
pub fn rows_i8(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    each_block_i8(blocks, prepared, out, |value| value);
}

/// [`rows_i8`], then [`tanh_i8`]: a level.
#[inline(never)]
pub fn rows_tanh_i8(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i8]) {
    each_block_i8(blocks, prepared, out, tanh_i8);
}

fn each_block_i8<T>(blocks: &[u32], prepared: &[u32], out: &mut [T], last: impl Fn(i32) -> T) {
    let Some(columns) = columns(super::block_words_i8, blocks, prepared.len(), out.len()) else { return };
    let x: &[i8] = bytemuck::cast_slice(prepared);
    for (block, out) in blocks.chunks_exact(super::block_words_i8(columns)).zip(out.chunks_exact_mut(ROWS)) {
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

/// As [`rows_i8`] for 4-bit weights: blocks of `block_words_i4(columns)` words.
#[cfg(feature = "int4")]
#[inline(never)]
pub fn rows_i4(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    each_block_i4(blocks, prepared, out, |value| value);
}

/// [`rows_i4`], then [`tanh_i8`]: a level.
#[cfg(feature = "int4")]
#[inline(never)]
pub fn rows_tanh_i4(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i8]) {
    each_block_i4(blocks, prepared, out, tanh_i8);
}

#[cfg(feature = "int4")]
fn each_block_i4<T>(blocks: &[u32], prepared: &[u32], out: &mut [T], last: impl Fn(i32) -> T) {
    let Some(columns) = columns(super::block_words_i4, blocks, prepared.len(), out.len()) else { return };
    let x: &[i8] = bytemuck::cast_slice(prepared);
    for (block, out) in blocks.chunks_exact(super::block_words_i4(columns)).zip(out.chunks_exact_mut(ROWS)) {
        let Some((mut acc, weights, multipliers)) = parts(block) else { return };
        let (pairs, _) = acc.as_chunks_mut::<2>();
        for (group, x) in weights.chunks_exact(ROWS / 2 * COLUMNS).zip(x.chunks_exact(COLUMNS)) {
            for ([even, odd], bytes) in pairs.iter_mut().zip(group.as_chunks::<COLUMNS>().0) {
                *odd = dot(*odd, bytes, x);
                *even = dot(*even, &bytes.map(|byte| byte << 4), x);
            }
        }
        // 16 * acc0 and 16 * acc1 + acc0 become 256 * acc0 and 256 * acc1.
        for [even, odd] in pairs {
            *odd = (*odd << 4).wrapping_sub(*even);
            *even <<= 4;
        }
        for ((out, acc256), multiplier) in out.iter_mut().zip(acc).zip(multipliers) {
            *out = last(requantize(acc256, multiplier));
        }
    }
}

/// Start values, bytes of weights, and multipliers of a block.
fn parts(block: &[u32]) -> Option<([i32; ROWS], &[i8], [i32; ROWS])> {
    let (start, rest) = block.split_first_chunk::<ROWS>()?;
    let (weights, multipliers) = rest.split_last_chunk::<ROWS>()?;
    Some((start.map(|word| word as i32), bytemuck::cast_slice(weights), multipliers.map(|word| word as i32)))
}

/// [`tanh_i8`] of each; what goes beyond the shorter one is left alone.
#[inline(never)]
pub fn tanh_i8_slice(pre_activations: &[i32], out: &mut [i8]) {
    for (out, &pre_activation) in out.iter_mut().zip(pre_activations) {
        *out = tanh_i8(pre_activation);
    }
}

pub use crate::kernels::routine::portable::{copy_i8, exchange_i8, gate_i8, table_tanh_i8};
