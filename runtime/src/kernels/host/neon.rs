//! NEON, which every AArch64 has: 16 products of bytes in three instructions.
//!
//! `sdot` would replace all three, but its intrinsic is not stable in the pinned Rust.
#![allow(unsafe_code)]

use core::arch::aarch64::*;

use super::methods::methods;
use super::portable;
use super::tile::{Bias, BlockScaling, STREAMS, Table, Tile};
use crate::activation::{Activation, Curve};
use crate::kernels::Out;
use crate::kernels::routine::softmax;
use crate::math::fixed::{EXP2_NEG, WEIGHT_FRACTION_BITS};
use crate::quant::{ACTIVATION_MAX, MULTIPLIER_FRACTION_BITS};
use crate::rows::LANES;
use crate::vocab::Token;

/// Proof that this machine has the instructions.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

impl Neon {
    /// Asks the machine for the instructions.
    #[inline]
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

methods! { Neon }

/// Number of rows that are finished together.
const ROWS: usize = 8;
/// Number of rows whose sums are kept in registers.
const FOUR: usize = 4;
/// Bytes of a vector.
const BYTES: usize = 16;

/// Computes, for each block of 8 rows, for each four of them, for each 64 columns:
///
/// ```text
/// for r in 0..4 { for v in 0..4 { acc[r] += pairs of (w[r][v] low * x[v] low + w[r][v] high * x[v] high) } }
///                                                                           smull, smlal2, sadalp
/// out = requantize(bias + lanes of acc)
/// ```
///
/// 1. The sum of two products, at most `2 * 127 * 128` in magnitude, fits 16 bits. The sum of three may not.
/// 2. With more than four rows, the compiler would keep sums in memory, because it begins all products before it ends
///    the first.
/// 3. Fewer than 16 columns may be left over. The last 16 columns of the row cover them; `x` is zero in the columns
///    that have been counted already. So no weight after the row is read, and none is copied.
/// 4. The last block begins 8 rows before the end and computes some rows again, instead of being shorter.
#[target_feature(enable = "neon")]
fn rows_i8(weights: &[i8], x: &[i8], bias: Bias<'_>, multiplier: &[i32], mut out: Out<'_>) {
    let fan_in = x.len();
    let rows = bias.plain.len().min(multiplier.len()).min(out.len()).min(weights.len() / fan_in.max(1));
    if rows < ROWS || fan_in < BYTES {
        return portable::rows_i8(weights, x, bias, multiplier, out);
    }
    let (vectors, rest) = x.as_chunks::<BYTES>();
    let (fours, singles) = vectors.as_chunks::<4>();
    let mut last = [0; BYTES];
    last[BYTES - rest.len()..].copy_from_slice(rest);
    for_each_block(rows, |row| {
        let sums = [row, row + FOUR].map(|row| {
            let block = &weights[row * fan_in..(row + FOUR) * fan_in];
            let mut acc = [vdupq_n_s32(0); FOUR];
            let mut column = 0;
            for [a, b, c, d] in fours {
                add_columns(block, fan_in, column, [load_i8(a), load_i8(b), load_i8(c), load_i8(d)], &mut acc);
                column += 4 * BYTES;
            }
            for x in singles {
                add_columns(block, fan_in, column, [load_i8(x)], &mut acc);
                column += BYTES;
            }
            if !rest.is_empty() {
                add_columns(block, fan_in, fan_in - BYTES, [load_i8(&last)], &mut acc);
            }
            add_lanes(&acc)
        });
        finish(sums, row, bias.plain, multiplier, &mut out);
    });
}

/// Adds `VECTORS` times 16 columns, from `column` on, to the sums of the rows.
#[inline]
#[target_feature(enable = "neon")]
fn add_columns<const VECTORS: usize>(
    block: &[i8],
    fan_in: usize,
    column: usize,
    x: [int8x16_t; VECTORS],
    acc: &mut [int32x4_t; FOUR],
) {
    for (row, acc) in acc.iter_mut().enumerate() {
        for (weights, x) in load_row::<VECTORS>(block, fan_in, row, column).into_iter().zip(x) {
            *acc = vpadalq_s16(*acc, vmlal_high_s8(vmull_s8(vget_low_s8(weights), vget_low_s8(x)), weights, x));
        }
    }
}

/// Loads `VECTORS` vectors from byte `at` of row `row`, in a block of four rows of `stride` bytes.
///
/// # Panics
/// If the row has fewer bytes, or the block fewer rows.
#[inline]
#[target_feature(enable = "neon")]
fn load_row<const VECTORS: usize>(block: &[i8], stride: usize, row: usize, at: usize) -> [int8x16_t; VECTORS] {
    assert!(block.len() == FOUR * stride && row < FOUR && at + VECTORS * BYTES <= stride);
    let first = block.as_ptr().wrapping_add(row * stride + at);
    let mut vectors = [vdupq_n_s8(0); VECTORS];
    for (index, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the 16 bytes from `row * stride + at + 16 * index` on are within the block, because `row` is below 4
        // and `at + 16 * (index + 1)` is at most `stride`, as was just checked. No alignment is required.
        *vector = unsafe { vld1q_s8(first.wrapping_add(index * BYTES)) };
    }
    vectors
}

/// Computes a layer like [`rows_i8`]. A vector of weights covers two vectors of columns, even and odd; `ld2` splits `x`
/// in the same way.
///
/// Products are at most `8 * 128` in magnitude, so eight of them are summed in 16 bits.
#[target_feature(enable = "neon")]
fn rows_i4(weights: &[u8], x: &[i8], bias: &[i32], multiplier: &[i32], mut out: Out<'_>) {
    let bytes = x.len().div_ceil(2);
    let rows = bias.len().min(multiplier.len()).min(out.len()).min(weights.len() / bytes.max(1));
    if rows < ROWS || bytes < BYTES {
        return portable::rows_i4(weights, x, bias, multiplier, out);
    }
    let weights: &[i8] = bytemuck::cast_slice(weights);
    let (vectors, rest) = x.as_chunks::<{ 2 * BYTES }>();
    let (pairs, single) = vectors.as_chunks::<2>();
    // The last 32 columns end with a whole byte; half of it may belong to no column.
    let mut last = [0; 2 * BYTES];
    let end = 2 * BYTES - x.len() % 2;
    last[end - rest.len()..end].copy_from_slice(rest);
    for_each_block(rows, |row| {
        let sums = [row, row + FOUR].map(|row| {
            let block = &weights[row * bytes..(row + FOUR) * bytes];
            let mut acc = [vdupq_n_s32(0); FOUR];
            let mut at = 0;
            for [a, b] in pairs {
                add_columns_i4(block, bytes, at, [load_even_odd(a), load_even_odd(b)], &mut acc);
                at += 2 * BYTES;
            }
            for x in single {
                add_columns_i4(block, bytes, at, [load_even_odd(x)], &mut acc);
            }
            if !rest.is_empty() {
                add_columns_i4(block, bytes, bytes - BYTES, [load_even_odd(&last)], &mut acc);
            }
            add_lanes(&acc)
        });
        finish(sums, row, bias, multiplier, &mut out);
    });
}

/// Adds the columns of `VECTORS` vectors of weights, from byte `at` of each row on.
#[inline]
#[target_feature(enable = "neon")]
fn add_columns_i4<const VECTORS: usize>(
    block: &[i8],
    bytes: usize,
    at: usize,
    x: [int8x16x2_t; VECTORS],
    acc: &mut [int32x4_t; FOUR],
) {
    const { assert!(VECTORS * 4 * 8 * 128 <= i16::MAX as usize) }
    for (row, acc) in acc.iter_mut().enumerate() {
        let mut sums = vdupq_n_s16(0);
        for (weights, int8x16x2_t(even, odd)) in load_row::<VECTORS>(block, bytes, row, at).into_iter().zip(x) {
            // A shift up and an arithmetic shift down again extend the sign.
            let low = vshrq_n_s8::<4>(vshlq_n_s8::<4>(weights));
            let high = vshrq_n_s8::<4>(weights);
            sums = vmlal_s8(sums, vget_low_s8(low), vget_low_s8(even));
            sums = vmlal_high_s8(sums, low, even);
            sums = vmlal_s8(sums, vget_low_s8(high), vget_low_s8(odd));
            sums = vmlal_high_s8(sums, high, odd);
        }
        *acc = vpadalq_s16(*acc, sums);
    }
}

/// Calls `each` with the first row of every block of [`ROWS`]. The last block ends at the last row.
#[inline(always)]
fn for_each_block(rows: usize, mut each: impl FnMut(usize)) {
    for row in (0..rows).step_by(ROWS) {
        each(row.min(rows - ROWS));
    }
}

/// Returns the sum of the lanes of each vector, in the order of the vectors.
#[inline]
#[target_feature(enable = "neon")]
fn add_lanes(&[a, b, c, d]: &[int32x4_t; FOUR]) -> int32x4_t {
    vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))
}

/// Adds the bias of [`ROWS`] rows from `row` on, scales the sums, and stores them or their entries of a curve.
#[inline]
#[target_feature(enable = "neon")]
fn finish(sums: [int32x4_t; 2], row: usize, bias: &[i32], multiplier: &[i32], out: &mut Out<'_>) {
    let rows = row..row + ROWS;
    let (bias, _) = bias[rows.clone()].as_chunks::<4>();
    let (multiplier, _) = multiplier[rows.clone()].as_chunks::<4>();
    let scaled =
        [0, 1].map(|half: usize| requantize(vaddq_s32(sums[half], load_i32(&bias[half])), load_i32(&multiplier[half])));
    match out {
        Out::Rows(out) => {
            let (out, _) = out[rows].as_chunks_mut::<4>();
            out.iter_mut().zip(scaled).for_each(|(out, scaled)| store_i32(out, scaled));
        }
        Out::Curve(out, curve) => {
            let narrow = narrow(scaled);
            let bytes = vget_low_s8(look_up_curve(curve, [narrow; 2]));
            let out: &mut [i8; ROWS] = out[rows].first_chunk_mut().expect("eight rows");
            // SAFETY: the reference covers the eight bytes that are written; no alignment is required.
            unsafe { vst1_s8(out.as_mut_ptr(), bytes) }
        }
    }
}

/// Computes [`crate::quant::requantize`]: `rshrn` rounds away 24 bits of each 64-bit product, halves up, and keeps the
/// next 32.
#[inline]
#[target_feature(enable = "neon")]
fn requantize(acc: int32x4_t, multiplier: int32x4_t) -> int32x4_t {
    const BITS: i32 = MULTIPLIER_FRACTION_BITS as i32;
    let low = vrshrn_n_s64::<BITS>(vmull_s32(vget_low_s32(acc), vget_low_s32(multiplier)));
    vrshrn_high_n_s64::<BITS>(low, vmull_high_s32(acc, multiplier))
}

/// Converts eight words to 16 bits, saturating.
#[inline]
#[target_feature(enable = "neon")]
fn narrow([low, high]: [int32x4_t; 2]) -> int16x8_t {
    vqmovn_high_s32(vqmovn_s32(low), high)
}

/// Returns [`Curve::at`] of 16 lanes.
///
/// `tbl` and `tbx` look up an index in 64 entries. For a larger index, `tbl` writes 0 and `tbx` keeps the lane. Four
/// lookups cover the half of the curve for indices that are not negative, four the other half.
#[inline]
#[target_feature(enable = "neon")]
fn look_up_curve(curve: &Curve, [low, high]: [int16x8_t; 2]) -> int8x16_t {
    let saturate = |values| vreinterpretq_s8_s16(vminq_s16(vmaxq_s16(values, vdupq_n_s16(-256)), vdupq_n_s16(255)));
    let (low, high) = (saturate(low), saturate(high));
    // The lower bytes of all half words are the indices; the upper bytes have the signs.
    let index = vreinterpretq_u8_s8(vuzp1q_s8(low, high));
    let negative = vcltzq_s8(vuzp2q_s8(low, high));
    let (halves, _) = curve.0.as_chunks::<256>();
    vbslq_s8(negative, look_up_256(&halves[1], index), look_up_256(&halves[0], index))
}

/// Returns the entry at each index.
#[inline]
#[target_feature(enable = "neon")]
fn look_up_256(entries: &[i8; 256], index: uint8x16_t) -> int8x16_t {
    let (table, _) = entries.as_chunks::<64>();
    let quarter = vdupq_n_u8(64);
    let mut value = vqtbl4q_s8(load_table_i8(&table[0]), index);
    let mut index = index;
    for table in &table[1..4] {
        // An index below this quarter of the table wraps around to 192 or more, which is out of range too.
        index = vsubq_u8(index, quarter);
        value = vqtbx4q_s8(value, load_table_i8(table), index);
    }
    value
}

/// Returns [`look_up_curve`] of 16 words.
#[inline]
#[target_feature(enable = "neon")]
fn look_up_16(curve: &Curve, values: &[i32; 16]) -> int8x16_t {
    let (fours, _) = values.as_chunks::<4>();
    let [a, b, c, d] = [0, 1, 2, 3].map(|four: usize| load_i32(&fours[four]));
    look_up_curve(curve, [narrow([a, b]), narrow([c, d])])
}

#[target_feature(enable = "neon")]
fn curve_i8(curve: &Curve, pre_activations: &[i32], out: &mut [i8]) {
    let len = pre_activations.len().min(out.len());
    let (values, values_left) = pre_activations[..len].as_chunks::<16>();
    let (chunks, out_left) = out[..len].as_chunks_mut::<16>();
    for (values, out) in values.iter().zip(chunks) {
        store_i8(out, look_up_16(curve, values));
    }
    portable::curve_i8(curve, values_left, out_left);
}

#[target_feature(enable = "neon")]
fn gate_i8(values: &mut [i8], gates: &[i8]) {
    let len = values.len().min(gates.len());
    let (chunks, rest) = values[..len].as_chunks_mut::<16>();
    let (others, rest_of_gates) = gates[..len].as_chunks::<16>();
    for (values, gates) in chunks.iter_mut().zip(others) {
        let (value, gate) = (load_i8(values), load_i8(gates));
        let low = gate_8(vget_low_s8(value), vget_low_s8(gate));
        store_i8(values, vcombine_s8(low, gate_8(vget_high_s8(value), vget_high_s8(gate))));
    }
    // Usual at the end, because rows come in blocks of eight.
    let (chunks, rest) = rest.as_chunks_mut::<8>();
    let (others, rest_of_gates) = rest_of_gates.as_chunks::<8>();
    for (values, gates) in chunks.iter_mut().zip(others) {
        // SAFETY: the reference covers the eight bytes that are read; no alignment is required.
        let gate = unsafe { vld1_s8(gates.as_ptr()) };
        // SAFETY: as above.
        let value = unsafe { vld1_s8(values.as_ptr()) };
        let gated = gate_8(value, gate);
        // SAFETY: the reference covers the eight bytes that are written; no alignment is required.
        unsafe { vst1_s8(values.as_mut_ptr(), gated) };
    }
    portable::gate_i8(rest, rest_of_gates);
}

/// Computes [`crate::quant::gate`] of 8 lanes: `sqrdmulh` is `(2 * a * b + 2^15) >> 16`.
#[inline]
#[target_feature(enable = "neon")]
fn gate_8(value: int8x8_t, gate: int8x8_t) -> int8x8_t {
    // This is `value * (127 + gate)`, at most `128 * 254` in magnitude.
    let product = vmlal_s8(vmull_s8(value, gate), value, vdup_n_s8(ACTIVATION_MAX as i8));
    vmovn_s16(vqrdmulhq_n_s16(product, 129))
}

/// Bytes of [`EXP2_NEG`] without its last entry: `tbl` looks up bytes.
static FROM: [[u8; 64]; 4] = bytes_of(0);
/// Bytes of the differences between each entry of [`EXP2_NEG`] and the next.
static STEP: [[u8; 64]; 4] = bytes_of(1);

/// Returns byte `b` of `EXP2_NEG[i] - steps * EXP2_NEG[i + 1]` at `[b][i]`.
const fn bytes_of(steps: u32) -> [[u8; 64]; 4] {
    let mut bytes = [[0; 64]; 4];
    let mut index = 0;
    while index < 64 {
        let word = (EXP2_NEG[index] - steps * EXP2_NEG[index + 1]).to_le_bytes();
        let mut byte = 0;
        while byte < 4 {
            bytes[byte][index] = word[byte];
            byte += 1;
        }
        index += 1;
    }
    bytes
}

/// Computes [`crate::kernels::routine::softmax::weigh`], and for it [`crate::math::fixed::exp2_neg`], 16 logits at a
/// time.
#[target_feature(enable = "neon")]
fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    let factor = vdupq_n_u32(softmax::factor(temperature_milli));
    let largest = vdupq_n_s32(logits.iter().fold(i32::MIN, |largest, &logit| largest.max(logit)));
    let (chunks, rest) = logits.as_chunks_mut::<16>();
    for logits in chunks {
        weigh_16(logits, largest, factor);
    }
    if !rest.is_empty() {
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        weigh_16(&mut last, largest, factor);
        rest.copy_from_slice(&last[..rest.len()]);
    }
    logits.iter().fold(0_u32, |total, &weight| total.wrapping_add(weight as u32))
}

/// Weighs 16 logits. A logit above `largest` is allowed only if its weight is not used.
#[inline]
#[target_feature(enable = "neon")]
fn weigh_16(logits: &mut [i32; 16], largest: int32x4_t, factor: uint32x4_t) {
    let (fours, _) = logits.as_chunks_mut::<4>();
    let exponents = [0, 1, 2, 3].map(|four: usize| {
        let below = vreinterpretq_u32_s32(vsubq_s32(largest, load_i32(&fours[four])));
        // Products of 64 bits; a result that does not fit 32 bits saturates.
        let low = vqshrn_n_u64::<12>(vmull_u32(vget_low_u32(below), vget_low_u32(factor)));
        vqshrn_high_n_u64::<12>(low, vmull_high_u32(below, factor))
    });
    let [a, b, c, d] = exponents;
    let low = vshrn_high_n_u32::<10>(vshrn_n_u32::<10>(a), b);
    let high = vshrn_high_n_u32::<10>(vshrn_n_u32::<10>(c), d);
    let step = vandq_u8(vmovn_high_u16(vmovn_u16(low), high), vdupq_n_u8(63));
    let (from, slope) = (look_up_words(&FROM, step), look_up_words(&STEP, step));
    for (index, (four, x)) in fours.iter_mut().zip(exponents).enumerate() {
        let rest = vandq_u32(x, vdupq_n_u32(1023));
        let value = vsubq_u32(from[index], vshrq_n_u32::<10>(vmulq_u32(slope[index], rest)));
        let whole = vshrq_n_u32::<16>(x);
        let shift = vaddq_u32(whole, vdupq_n_u32(28 - WEIGHT_FRACTION_BITS));
        // `urshl` by a negative number shifts down, halves up. It uses only the lowest byte of the shift; a shift that
        // does not fit that byte belongs to a logit without weight.
        let weight = vrshlq_u32(value, vnegq_s32(vreinterpretq_s32_u32(shift)));
        let counts = vcleq_u32(whole, vdupq_n_u32(WEIGHT_FRACTION_BITS));
        store_i32(four, vreinterpretq_s32_u32(vandq_u32(weight, counts)));
    }
}

/// Returns the word at each index of a table that is split into bytes. Indices are below 64.
#[inline]
#[target_feature(enable = "neon")]
fn look_up_words(table: &[[u8; 64]; 4], index: uint8x16_t) -> [uint32x4_t; 4] {
    let [a, b, c, d] = [0, 1, 2, 3].map(|byte: usize| vqtbl4q_u8(load_table(&table[byte]), index));
    let (low, high) = (vreinterpretq_u16_u8(vzip1q_u8(a, b)), vreinterpretq_u16_u8(vzip2q_u8(a, b)));
    let (low_2, high_2) = (vreinterpretq_u16_u8(vzip1q_u8(c, d)), vreinterpretq_u16_u8(vzip2q_u8(c, d)));
    [vzip1q_u16(low, low_2), vzip2q_u16(low, low_2), vzip1q_u16(high, high_2), vzip2q_u16(high, high_2)]
        .map(|words| vreinterpretq_u32_u16(words))
}

#[target_feature(enable = "neon")]
fn look_up(table: Table<'_>, tokens: &[Token], bias: &[i32], multiplier: &[i32], mut out: Out<'_>) {
    let rows = bias.len().min(multiplier.len()).min(out.len());
    if rows < ROWS {
        return portable::look_up(table, tokens, bias, multiplier, out);
    }
    for_each_block(rows, |row| {
        let mut acc = [vdupq_n_s32(0); 2];
        for (position, &token) in tokens.iter().enumerate() {
            if let Some(entries) = table.entries(position, token, row).first_chunk::<ROWS>() {
                // SAFETY: the reference covers the eight bytes that are read; no alignment is required.
                let entries = vmovl_s8(unsafe { vld1_s8(entries.as_ptr()) });
                acc = [vaddw_s16(acc[0], vget_low_s16(entries)), vaddw_high_s16(acc[1], entries)];
            }
        }
        finish(acc, row, bias, multiplier, &mut out);
    });
}

/// Computes two rows for eight streams at a time, with the products of [`rows_i8`].
///
/// A vector holds four columns of each of four streams. Each sum of two products in 16 bits combines two such vectors,
/// not the halves of one, so that the streams remain separate.
#[target_feature(enable = "neon")]
fn tile_i8(weights: &[[u32; LANES]], scaling: &BlockScaling, x: &[Tile<u32>], out: &mut [Tile<i32>; LANES]) {
    let words = weights.len().min(x.len());
    let (weight_pairs, weight_left) = weights[..words].as_chunks::<2>();
    let (x_pairs, x_left) = x[..words].as_chunks::<2>();
    let (weight_left, _) = weight_left.as_chunks::<1>();
    let (x_left, _) = x_left.as_chunks::<1>();
    for first in (0..LANES).step_by(2) {
        for part in 0..STREAMS / 8 {
            let mut acc = [[vdupq_n_s32(0); 4]; 2];
            for (weights, x) in weight_pairs.iter().zip(x_pairs) {
                add_words(weights, x, first, part, &mut acc);
            }
            for (weights, x) in weight_left.iter().zip(x_left) {
                add_words(weights, x, first, part, &mut acc);
            }
            for (row, acc) in (first..).zip(acc) {
                let [a, b, c, d] = acc;
                let (bias, multiplier) = (vdupq_n_s32(scaling.bias[row]), vdupq_n_s32(scaling.multiplier[row]));
                let (out, _) = out[row].0.as_chunks_mut::<4>();
                for (out, sums) in out[2 * part..].iter_mut().zip([vpaddq_s32(a, b), vpaddq_s32(c, d)]) {
                    store_i32(out, requantize(vaddq_s32(sums, bias), multiplier));
                }
            }
        }
    }
}

/// Adds four or eight columns of two rows from `first` on, for eight streams. Each vector of sums holds two streams.
#[inline]
#[target_feature(enable = "neon")]
fn add_words<const WORDS: usize>(
    weights: &[[u32; LANES]; WORDS],
    x: &[Tile<u32>; WORDS],
    first: usize,
    part: usize,
    acc: &mut [[int32x4_t; 4]; 2],
) {
    const { assert!(WORDS * 127 * 128 <= i16::MAX as usize) }
    let mut streams = [[vdupq_n_s8(0); 2]; WORDS];
    for (streams, x) in streams.iter_mut().zip(x) {
        let (fours, _) = x.0.as_chunks::<4>();
        *streams = [0, 1].map(|half: usize| load_words(&fours[2 * part + half]));
    }
    for (row, acc) in acc.iter_mut().enumerate() {
        let mut sums = [vdupq_n_s16(0); 4];
        for (weights, [a, b]) in weights.iter().zip(streams) {
            let weights = vreinterpretq_s8_u32(vdupq_n_u32(weights[first + row]));
            sums = [
                vmlal_s8(sums[0], vget_low_s8(weights), vget_low_s8(a)),
                vmlal_high_s8(sums[1], weights, a),
                vmlal_s8(sums[2], vget_low_s8(weights), vget_low_s8(b)),
                vmlal_high_s8(sums[3], weights, b),
            ];
        }
        for (acc, sums) in acc.iter_mut().zip(sums) {
            *acc = vpadalq_s16(*acc, sums);
        }
    }
}

#[target_feature(enable = "neon")]
fn curve_tile_i8(curve: &Curve, pre_activations: &[Tile<i32>; LANES], out: &mut [Tile<u32>; 2]) {
    let (fours, _) = pre_activations.as_chunks::<4>();
    for (rows, out) in fours.iter().zip(out) {
        let (parts, _) = out.0.as_chunks_mut::<16>();
        for (part, out) in parts.iter_mut().enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|row: usize| look_up_16(curve, &rows[row].0.as_chunks::<16>().0[part]));
            // SAFETY: the reference covers the 64 bytes that are written, four of each stream; no alignment is
            // required.
            unsafe { vst4q_s8(out.as_mut_ptr().cast(), int8x16x4_t(a, b, c, d)) };
        }
    }
}

/// Computes eight blocks of eight rows at a time, then four, then one: a sum must wait for the addition before it, so a
/// single block would leave the adders idle most of the time.
#[target_feature(enable = "neon")]
fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    let (columns, _) = weights.as_chunks::<LANES>();
    let (bias, _) = bias.as_chunks::<LANES>();
    let (y, _) = y.as_chunks_mut::<LANES>();
    let blocks = (columns.len() / x.len().max(1)).min(bias.len()).min(y.len());
    let (bias, y) = (&bias[..blocks], &mut y[..blocks]);
    let (bias_8, bias) = bias.as_chunks::<8>();
    let (y_8, y) = y.as_chunks_mut::<8>();
    let columns = add_blocks(columns, bias_8, x, y_8);
    let (bias_4, bias) = bias.as_chunks::<4>();
    let (y_4, y) = y.as_chunks_mut::<4>();
    let columns = add_blocks(columns, bias_4, x, y_4);
    add_blocks(columns, bias.as_chunks::<1>().0, x, y.as_chunks_mut::<1>().0);
}

/// Computes groups of `BLOCKS` blocks and returns the weights after them.
#[inline]
#[target_feature(enable = "neon")]
fn add_blocks<'w, const BLOCKS: usize>(
    weights: &'w [[f32; LANES]],
    bias: &[[[f32; LANES]; BLOCKS]],
    x: &[f32],
    y: &mut [[[f32; LANES]; BLOCKS]],
) -> &'w [[f32; LANES]] {
    let fan_in = x.len();
    let mut weights = weights;
    for (bias, y) in bias.iter().zip(y) {
        let (group, rest) = weights.split_at(BLOCKS * fan_in);
        weights = rest;
        let mut acc = [[vdupq_n_f32(0.0); 2]; BLOCKS];
        for (acc, bias) in acc.iter_mut().zip(bias) {
            *acc = load_f32(bias);
        }
        for (column, &x) in x.iter().enumerate() {
            let x = vdupq_n_f32(x);
            let at = group.as_ptr().wrapping_add(column);
            for (block, acc) in acc.iter_mut().enumerate() {
                let at: *const f32 = at.wrapping_add(block * fan_in).cast();
                // SAFETY: column `column`, which is below `fan_in`, of block `block`, which is below `BLOCKS`, has
                // eight values within the group of `BLOCKS * fan_in` columns; these are the first four. No alignment is
                // required.
                let low = unsafe { vld1q_f32(at) };
                // SAFETY: as above; these are the other four.
                let high = unsafe { vld1q_f32(at.wrapping_add(4)) };
                *acc = [vaddq_f32(acc[0], vmulq_f32(low, x)), vaddq_f32(acc[1], vmulq_f32(high, x))];
            }
        }
        for (y, acc) in y.iter_mut().zip(acc) {
            store_f32(y, acc);
        }
    }
    weights
}

#[target_feature(enable = "neon")]
fn activate_f32(activation: Activation, values: &mut [f32]) {
    portable::activate_f32(activation, values);
}

/// Computes eight rows for eight streams at a time.
#[target_feature(enable = "neon")]
fn tile_f32(weights: &[[f32; LANES]], bias: &[f32; LANES], x: &[Tile<f32>], out: &mut [Tile<f32>; LANES]) {
    for part in 0..STREAMS / 8 {
        let mut acc = [[vdupq_n_f32(0.0); 2]; LANES];
        for (acc, &bias) in acc.iter_mut().zip(bias) {
            *acc = [vdupq_n_f32(bias); 2];
        }
        for (weights, x) in weights.iter().zip(x) {
            let [low, high] = load_f32(&x.0.as_chunks::<8>().0[part]);
            for (acc, &weight) in acc.iter_mut().zip(weights) {
                let weight = vdupq_n_f32(weight);
                *acc = [vaddq_f32(acc[0], vmulq_f32(weight, low)), vaddq_f32(acc[1], vmulq_f32(weight, high))];
            }
        }
        for (out, acc) in out.iter_mut().zip(acc) {
            store_f32(&mut out.0.as_chunks_mut::<8>().0[part], acc);
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_f32(values: &[f32; 8]) -> [float32x4_t; 2] {
    let (halves, _) = values.as_chunks::<4>();
    // SAFETY: a chunk of four covers the 16 bytes that are read; no alignment is required.
    let low = unsafe { vld1q_f32(halves[0].as_ptr()) };
    // SAFETY: as above.
    let high = unsafe { vld1q_f32(halves[1].as_ptr()) };
    [low, high]
}

#[inline]
#[target_feature(enable = "neon")]
fn store_f32(to: &mut [f32; 8], values: [float32x4_t; 2]) {
    let (halves, _) = to.as_chunks_mut::<4>();
    for (half, value) in halves.iter_mut().zip(values) {
        // SAFETY: a chunk of four covers the 16 bytes that are written; no alignment is required.
        unsafe { vst1q_f32(half.as_mut_ptr(), value) };
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_i8(bytes: &[i8; BYTES]) -> int8x16_t {
    // SAFETY: the reference covers the 16 bytes that are read; no alignment is required.
    unsafe { vld1q_s8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store_i8(to: &mut [i8; BYTES], value: int8x16_t) {
    // SAFETY: the reference covers the 16 bytes that are written; no alignment is required.
    unsafe { vst1q_s8(to.as_mut_ptr(), value) }
}

/// Loads the bytes at even places, and those at odd places.
#[inline]
#[target_feature(enable = "neon")]
fn load_even_odd(bytes: &[i8; 2 * BYTES]) -> int8x16x2_t {
    // SAFETY: the reference covers the 32 bytes that are read; no alignment is required.
    unsafe { vld2q_s8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_table(bytes: &[u8; 64]) -> uint8x16x4_t {
    // SAFETY: the reference covers the 64 bytes that are read; no alignment is required.
    unsafe { vld1q_u8_x4(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_table_i8(bytes: &[i8; 64]) -> int8x16x4_t {
    // SAFETY: the reference covers the 64 bytes that are read; no alignment is required.
    unsafe { vld1q_s8_x4(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_i32(values: &[i32; 4]) -> int32x4_t {
    // SAFETY: the reference covers the 16 bytes that are read; no alignment is required.
    unsafe { vld1q_s32(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store_i32(to: &mut [i32; 4], value: int32x4_t) {
    // SAFETY: the reference covers the 16 bytes that are written; no alignment is required.
    unsafe { vst1q_s32(to.as_mut_ptr(), value) }
}

/// Loads four words as bytes.
#[inline]
#[target_feature(enable = "neon")]
fn load_words(words: &[u32; 4]) -> int8x16_t {
    // SAFETY: the reference covers the 16 bytes that are read; no alignment is required.
    vreinterpretq_s8_u32(unsafe { vld1q_u32(words.as_ptr()) })
}
