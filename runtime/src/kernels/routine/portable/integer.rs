//! Routines in integers.

pub use crate::kernels::routine::softmax::{pick, weigh};

use crate::activation::Curve;
use crate::quant::{ACC_LIMIT, gate, requantize};

/// Returns `sum(w[i] * x[i])` of 8-bit weights and activations, which is exact. Ignores values beyond the end of the
/// shorter slice.
///
/// There is no overflow for up to 2^18 values; a layer has fewer columns, because [`crate::Model::new`] checks its
/// sums.
///
/// ```
/// assert_eq!(runtime::kernels::dot_i8(&[1, -2, 127], &[3, 4, 127]), 3 - 8 + 16_129);
/// ```
// Not inlined, so that the compiled code does not depend on its surroundings.
#[inline(never)]
pub fn dot_i8(weights: &[i8], x: &[i8]) -> i32 {
    // Wrapping, because the sum is known to fit, and an overflow check costs more than the addition.
    weights.iter().zip(x).fold(0, |acc: i32, (&weight, &x)| acc.wrapping_add(i32::from(weight) * i32::from(x)))
}

/// Returns `sum(w[i] * x[i])` of 4-bit weights in two's complement, two to a byte, the even column in the low half.
///
/// ```
/// // 3 and -2, then only 7: its upper half belongs to no column.
/// assert_eq!(runtime::kernels::dot_i4(&[0xe3, 0x07], &[10, 1, 2]), 30 - 2 + 14);
/// ```
#[inline(never)]
pub fn dot_i4(weights: &[u8], x: &[i8]) -> i32 {
    weights.iter().zip(x.chunks(2)).fold(0, |acc: i32, (&byte, x)| {
        let (low, high) = unpack_i4(byte);
        let even = x.first().map_or(0, |&x| i32::from(low) * i32::from(x));
        let odd = x.get(1).map_or(0, |&x| i32::from(high) * i32::from(x));
        acc.wrapping_add(even + odd)
    })
}

/// Copies bytes. Values beyond the end of the shorter slice remain unchanged.
pub fn copy_i8(from: &[i8], to: &mut [i8]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}

/// Computes `values[i] = gate(values[i], gates[i])`; see [`crate::quant::gate`].
///
/// Values beyond the end of the shorter slice remain unchanged.
#[inline(never)]
pub fn gate_i8(values: &mut [i8], gates: &[i8]) {
    let len = values.len().min(gates.len());
    let (values, gates) = (values.get_mut(..len).unwrap_or(&mut []), gates.get(..len).unwrap_or(&[]));
    // Four at a time: compiled for size, the overhead of a loop is a third of its body.
    let (fours, rest) = values.as_chunks_mut::<4>();
    let (gates, rest_of_gates) = gates.as_chunks::<4>();
    for ([a, b, c, d], gates) in fours.iter_mut().zip(gates) {
        (*a, *b, *c, *d) = (gate(*a, gates[0]), gate(*b, gates[1]), gate(*c, gates[2]), gate(*d, gates[3]));
    }
    rest.iter_mut().zip(rest_of_gates).for_each(|(value, &other)| *value = gate(*value, other));
}

/// Copies the entry at the start of `slot` to the start of `input`, then `newest` to `input[last..]` and into the slot:
/// fills a level's input and updates its ring.
///
/// All three have the length of `newest`, which is at most `last`. If that does not fit, does nothing and returns
/// `false`.
#[inline]
pub fn exchange_i8(newest: &[i8], slot: &mut [i8], input: &mut [i8], last: usize) -> bool {
    let len = newest.len();
    if let Some(slot) = slot.get_mut(..len)
        && let Some((first, behind)) = input.split_at_mut_checked(last)
        && let (Some(first), Some(last)) = (first.get_mut(..len), behind.get_mut(..len))
    {
        copy_i8(slot, first);
        copy_i8(newest, last);
        copy_i8(newest, slot);
        return true;
    }
    false
}

/// Looks up level 0 for two characters: `out[row] = curve(requantize(bias + entries[0] + entries[1], multiplier))`.
///
/// All slices have the length of `out`. Values beyond the shortest remain unchanged.
#[inline(never)]
pub fn look_up_pair(bias: &[i32], multiplier: &[i32], entries: [&[i8]; 2], curve: &Curve, out: &mut [i8]) {
    let [older, newer] = entries;
    let rows = bias.iter().zip(multiplier).zip(older.iter().zip(newer));
    for (out, ((&bias, &multiplier), (&older, &newer))) in out.iter_mut().zip(rows) {
        *out = curve.at(requantize(bias.wrapping_add(i32::from(older) + i32::from(newer)), multiplier));
    }
}

/// Rows whose sums are stored together, in [`BLOCK_WORDS`].
const BLOCK_ROWS: usize = 4;
/// Words of a block of sums.
const BLOCK_WORDS: usize = 3;
// The bit that is the offset of a sum, after a shift by 8.
const _: () = assert!(ACC_LIMIT << 8 == i32::MIN);
/// Bytes of a number of a half.
pub const HALF_BYTES: usize = BLOCK_WORDS * size_of::<u32>() / BLOCK_ROWS;

/// Returns the number of words of a half of the sums of `rows` rows.
#[inline]
pub const fn half_words(rows: usize) -> usize {
    rows.div_ceil(BLOCK_ROWS) * BLOCK_WORDS
}

/// Looks up level 1 for two pairs of characters:
/// `out[row] = curve(requantize(older[row] + newer[row] - ACC_LIMIT, multiplier[row]))`.
///
/// `older` and `newer` hold numbers of 24 bits, one after the other, in whole blocks of four; the other slices have a
/// value for each of them. Values beyond the shortest remain unchanged. The sum of two numbers must fit 24 bits, so
/// that no sum carries into the next.
#[inline(never)]
pub fn add_halves(mut older: &[u32], mut newer: &[u32], multiplier: &[i32], curve: &Curve, out: &mut [i8]) {
    let rows = out.as_chunks_mut::<BLOCK_ROWS>().0.iter_mut().zip(multiplier.as_chunks::<BLOCK_ROWS>().0);
    for (out, multiplier) in rows {
        // Not `as_chunks`, which divides by three: Cortex-M0 has no instruction for that.
        let (Some((older_block, older_rest)), Some((newer_block, newer_rest))) =
            (older.split_first_chunk(), newer.split_first_chunk())
        else {
            return;
        };
        (older, newer) = (older_rest, newer_rest);
        let sums = add_block(older_block, newer_block);
        // No loop: compiled for size, it would go through memory.
        *out = [
            level_1(sums[0], multiplier[0], curve),
            level_1(sums[1], multiplier[1], curve),
            level_1(sums[2], multiplier[2], curve),
            level_1(sums[3], multiplier[3], curve),
        ];
    }
}

/// Returns the activation of a sum of halves, which is in the upper 24 bits of a word.
#[inline(always)]
fn level_1(sum: u32, multiplier: i32, curve: &Curve) -> i8 {
    curve.at(requantize((sum ^ 1 << 31) as i32 >> 8, multiplier))
}

/// Returns the sums of a block, each in the upper 24 bits of a word.
#[inline(always)]
fn add_block(&[a, b, c]: &[u32; BLOCK_WORDS], &[d, e, f]: &[u32; BLOCK_WORDS]) -> [u32; BLOCK_ROWS] {
    // One addition of 96 bits adds four numbers of 24.
    let (low, carry) = word_pair(a, b).overflowing_add(word_pair(d, e));
    let (first, second) = (low as u32, (low >> u32::BITS) as u32);
    let third = c.wrapping_add(f).wrapping_add(carry.into());
    [first << 8, first >> 24 << 8 | second << 16, second >> 16 << 8 | third << 24, third & !0xff]
}

/// Returns two words as one number, the first as its lower half.
#[inline(always)]
fn word_pair(low: u32, high: u32) -> u64 {
    u64::from(high) << u32::BITS | u64::from(low)
}

/// Returns the two weights of a byte, the low half first.
#[inline]
pub fn unpack_i4(byte: u8) -> (i8, i8) {
    // A shift up and an arithmetic shift down again extend the sign.
    (((byte << 4) as i8) >> 4, (byte as i8) >> 4)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn integer_dots_equal_plain_sums() {
        for byte in 0..=255_u8 {
            let (low, high) = unpack_i4(byte);
            assert!((-8..8).contains(&low) && (-8..8).contains(&high));
            assert_eq!((low as u8 & 15) | (high as u8) << 4, byte);
        }
        let mut seed = 7_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as i8
        };
        for len in 0..=300 {
            let extreme = [127_i8, -127, -128];
            for pick in 0..5 {
                let mut draw = |index: usize| if pick < 3 { extreme[(pick + index % 2) % 3] } else { random() };
                let weights: Vec<i8> = (0..len).map(&mut draw).collect();
                let x: Vec<i8> = (0..len).map(&mut draw).collect();
                let oracle = |weights: &[i8]| -> i64 {
                    weights.iter().zip(&x).map(|(&w, &x)| i64::from(w) * i64::from(x)).sum()
                };
                assert_eq!(i64::from(dot_i8(&weights, &x)), oracle(&weights), "{len}");
                let narrow: Vec<i8> = weights.iter().map(|w| w >> 4).collect();
                let packed: Vec<u8> =
                    narrow.chunks(2).map(|w| w[0] as u8 & 15 | (w.get(1).map_or(0, |&w| w as u8) << 4)).collect();
                assert_eq!(i64::from(dot_i4(&packed, &x)), oracle(&narrow), "{len}");
            }
        }
    }
}
