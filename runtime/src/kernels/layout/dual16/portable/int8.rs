//! Rows of 8-bit weights.

use crate::activation::Curve;
use crate::kernels::layout::dual16::sizes::int8::{GROUP, PART_WORDS, ROWS, block_words};
use crate::kernels::layout::dual16::{lanes, smlad, sxtab16};
use crate::quant::requantize;

/// Prepares a position. Writes the words `(x1, x3)`, `(x5, x7)`, `(256 x0 - x1, 256 x2 - x3)`,
/// `(256 x4 - x5, 256 x6 - x7)` per group.
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    let (groups, _) = prepared.as_chunks_mut::<PART_WORDS>();
    let mut constant = 0_i32;
    for (x, group) in x.chunks(GROUP).zip(groups) {
        let x = |at: usize| x.get(at).map_or(0, |&x| i32::from(x));
        let y = |at: usize| 256 * x(at) - x(at + 1);
        *group = [lanes(x(1), x(3)), lanes(x(5), x(7)), lanes(y(0), y(2)), lanes(y(4), y(6))];
        constant = constant.wrapping_sub(smlad(group[2], group[3], 0));
    }
    constant
}

/// Computes the rows of whole blocks.
pub fn rows(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
    each_row(blocks, prepared, constant, out, |row| row);
}

/// Computes the curve's entries of the rows of whole blocks.
pub fn rows_curve(blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]) {
    each_row(blocks, prepared, constant, out, |row| curve.at(row));
}

fn each_row<T>(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [T], last: impl Fn(i32) -> T) {
    let words = block_words(prepared.len() / PART_WORDS * GROUP);
    let (x, _) = prepared.as_chunks::<PART_WORDS>();
    let (out, _) = out.as_chunks_mut::<ROWS>();
    for (block, out) in blocks.chunks_exact(words).zip(out) {
        let Some((start, rest)) = block.split_first_chunk::<ROWS>() else { return };
        let Some((weights, multiplier)) = rest.split_last_chunk::<ROWS>() else { return };
        let (groups, _) = weights.as_chunks::<{ 2 * ROWS }>();
        let mut acc = start.map(|start| (start as i32).wrapping_add(constant));
        for (group, &[c1, c2, y1, y2]) in groups.iter().zip(x) {
            let (rows, _) = group.as_chunks::<2>();
            for (acc, &[v, w]) in acc.iter_mut().zip(rows) {
                *acc = smlad(v, c1, *acc);
                *acc = smlad(w, c2, *acc);
                *acc = smlad(sxtab16(y2, v), sxtab16(y1, w), *acc);
            }
        }
        for ((out, acc), &multiplier) in out.iter_mut().zip(acc).zip(multiplier) {
            // Exact, because the sum is a multiple of 256.
            *out = last(requantize(acc >> 8, multiplier as i32));
        }
    }
}
