//! Rows of 4-bit weights.

use crate::activation::Curve;
use crate::kernels::layout::dual16::sizes::int4::{EVEN, EVEN_OFFSET, GROUP, PART_WORDS, ROWS, block_words};
use crate::kernels::layout::dual16::{lanes, smlad, sxtab16};
use crate::quant::requantize;

/// Prepares a position. Writes per group of 16 columns, with `x` the first and `z` the last 8: lanes for columns 0, 1,
/// 4, 5 and 2, 3, 6, 7 of `x1`, `z1`, `x5 - 256 x1`, `z5 - 256 z1`, `16 x4 - x5 + 2048`, `16 x0 - x1 + 2048`, and the
/// last two of `z`.
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    let (groups, _) = prepared.as_chunks_mut::<PART_WORDS>();
    let mut constant = 0_i32;
    for (x, group) in x.chunks(GROUP).zip(groups) {
        let x = |at: usize| x.get(at).map_or(0, |&x| i32::from(x));
        let raw = |at: usize| lanes(x(at + 1), x(at + 3));
        let upper = |at: usize| lanes(x(at + 5) - 256 * x(at + 1), x(at + 7) - 256 * x(at + 3));
        let even = |at: usize| 16 * x(at) - x(at + 1) + EVEN_OFFSET;
        let second = |at: usize| lanes(even(at + 4), even(at + 6));
        let first = |at: usize| lanes(even(at), even(at + 2));
        *group = [raw(0), raw(8), upper(0), upper(8), second(0), first(0), second(8), first(8)];
        let products = smlad(group[2], group[3], smlad(group[4], group[5], smlad(group[6], group[7], 0)));
        let offset: i32 = [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 14].into_iter().map(x).sum();
        constant = constant.wrapping_sub(products).wrapping_sub(16 * 8 * offset);
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
        for (group, &[raw_v, raw_w, upper_v, upper_w, second_v, first_v, second_w, first_w]) in groups.iter().zip(x) {
            let (rows, _) = group.as_chunks::<2>();
            for (acc, &[v, w]) in acc.iter_mut().zip(rows) {
                *acc = smlad(v, raw_v, *acc);
                *acc = smlad(w, raw_w, *acc);
                *acc = smlad(sxtab16(upper_w, v >> 8), sxtab16(upper_v, w >> 8), *acc);
                let (v, w) = (v & EVEN, w & EVEN);
                *acc = smlad(sxtab16(second_v, v), sxtab16(first_v, v >> 8), *acc);
                *acc = smlad(sxtab16(second_w, w), sxtab16(first_w, w >> 8), *acc);
            }
        }
        for ((out, acc), &multiplier) in out.iter_mut().zip(acc).zip(multiplier) {
            // Exact, because the sum is a multiple of 16.
            *out = last(requantize(acc >> 4, multiplier as i32));
        }
    }
}
