//! AVX-512 (F, BW, VL) with VNNI: 64 products of bytes in one instruction.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use crate::activation::{Activation, Curve, TANH};
use crate::kernels::Out;
use crate::kernels::host::methods::methods;
use crate::kernels::host::portable;
use crate::kernels::host::tile::{Bias, BlockScaling, STREAMS, Table, Tile};
use crate::kernels::routine::softmax;
use crate::math::fixed::{EXP2_NEG, WEIGHT_FRACTION_BITS};
use crate::quant::MULTIPLIER_FRACTION_BITS;
use crate::rows::LANES;
use crate::vocab::Token;

/// Proof that this machine has the instructions.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    /// Asks the machine for the instructions.
    #[inline]
    pub fn detect() -> Option<Self> {
        let found = std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
    }
}

methods! { Avx512 }

/// Number of rows whose sums are kept in registers.
const ROWS: usize = 16;
/// Bytes of a vector.
const BYTES: usize = 64;

/// Computes, for each block of 16 rows, for each 64 columns:
///
/// ```text
/// for r in 0..16 { acc[r] += w[r] * (x ^ 0x80) }         vpdpbusd: four products a lane, x + 128 as a u8
/// out = requantize(bias - 128 * sum w + lanes of acc)
/// ```
///
/// 1. One factor of `vpdpbusd` must be unsigned. `x ^ 0x80` is `x + 128`; a start value that contains the sum of the
///    weights, computed beforehand, corrects the result.
/// 2. With sixteen rows at once, their sums over lanes take 45 instructions together, and one vector scales all of
///    them.
/// 3. The last block begins 16 rows before the end and computes some rows again, instead of being shorter.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn rows_i8(weights: &[i8], x: &[i8], bias: Bias<'_>, multiplier: &[i32], mut out: Out<'_>) {
    let fan_in = x.len();
    let rows = bias
        .plain
        .len()
        .min(bias.shifted.len())
        .min(multiplier.len())
        .min(out.len())
        .min(weights.len() / fan_in.max(1));
    if rows < ROWS {
        return portable::rows_i8(weights, x, bias, multiplier, out);
    }
    for_each_block(rows, |row| {
        let block = &weights[row * fan_in..(row + ROWS) * fan_in];
        let mut acc = [_mm512_setzero_si512(); ROWS];
        let mut column = 0;
        while fan_in - column >= 4 * BYTES {
            add_columns::<4>(block, x, column, &mut acc);
            column += 4 * BYTES;
        }
        while fan_in - column >= BYTES {
            add_columns::<1>(block, x, column, &mut acc);
            column += BYTES;
        }
        if column < fan_in {
            add_last_columns(block, x, column, &mut acc);
        }
        finish(add_lanes(&acc), row, bias.shifted, multiplier, &mut out);
    });
}

/// Adds `VECTORS` times 64 columns of a block of 16 rows of `x.len()` columns to the sums of the rows.
///
/// Goes row by row, so that weights are read in the order of their addresses. Then the processor fetches weights that
/// are not in the nearest cache before they are read.
///
/// # Panics
/// If the row has fewer columns, or the block fewer rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_columns<const VECTORS: usize>(block: &[i8], x: &[i8], column: usize, acc: &mut [__m512i; ROWS]) {
    let fan_in = x.len();
    assert!(column + VECTORS * BYTES <= fan_in && block.len() == ROWS * fan_in);
    let offset = _mm512_set1_epi8(i8::MIN);
    let mut inputs = [_mm512_setzero_si512(); VECTORS];
    for (vector, input) in inputs.iter_mut().enumerate() {
        *input = _mm512_xor_si512(load_part(x, column + vector * BYTES), offset);
    }
    for (row, acc) in acc.iter_mut().enumerate() {
        let at = block.as_ptr().wrapping_add(row * fan_in + column);
        for (vector, &x) in inputs.iter().enumerate() {
            let at = at.wrapping_add(vector * BYTES);
            // SAFETY: the 64 bytes from `row * fan_in + column + 64 * vector` on are within the block of `16 * fan_in`,
            // because `row` is below 16 and `column + 64 * (vector + 1)` is at most `fan_in`. No alignment is required.
            let weights = unsafe { _mm512_loadu_si512(at.cast()) };
            *acc = _mm512_dpbusd_epi32(*acc, x, weights);
        }
    }
}

/// Adds the columns that are left, fewer than 64, as [`add_columns`] does.
///
/// The number of rows is constant in this loop too: with a variable number, the compiler would keep the sums in memory.
///
/// # Panics
/// If the block has fewer rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_last_columns(block: &[i8], x: &[i8], column: usize, acc: &mut [__m512i; ROWS]) {
    let fan_in = x.len();
    assert!(block.len() == ROWS * fan_in);
    let offset = _mm512_set1_epi8(i8::MIN);
    let mask = mask(fan_in.saturating_sub(column));
    let x = _mm512_xor_si512(load_part(x, column), offset);
    for (row, acc) in acc.iter_mut().enumerate() {
        let at = block.as_ptr().wrapping_add(row * fan_in + column);
        // SAFETY: at most `fan_in - column` bytes, the rest of the row, are read from `row * fan_in + column` on. They
        // are within the block of `16 * fan_in`, because `row` is below 16. No alignment is required.
        let weights = unsafe { _mm512_maskz_loadu_epi8(mask, at) };
        *acc = _mm512_dpbusd_epi32(*acc, x, weights);
    }
}

/// Computes a layer like [`rows_i8`]. A vector of weights covers two vectors of columns, even and odd.
///
/// `w + 8` is `w ^ 8` in four bits. One exclusive-or adds 8 to all weights of a vector, so that they are never
/// negative.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn rows_i4(weights: &[u8], x: &[i8], bias: &[i32], multiplier: &[i32], mut out: Out<'_>) {
    let bytes = x.len().div_ceil(2);
    let rows = bias.len().min(multiplier.len()).min(out.len()).min(weights.len() / bytes.max(1));
    if rows < ROWS {
        return portable::rows_i4(weights, x, bias, multiplier, out);
    }
    let offset = _mm512_set1_epi8(0x88_u8 as i8);
    let low = _mm512_set1_epi8(15);
    let correction = products_with(x, -8);
    let weights: &[i8] = bytemuck::cast_slice(weights);
    for_each_block(rows, |row| {
        let block = &weights[row * bytes..(row + ROWS) * bytes];
        let mut acc = [correction; ROWS];
        for at in (0..bytes).step_by(BYTES) {
            let (first, second) = (load_part(x, 2 * at), load_part(x, 2 * at + BYTES));
            let odd = join(_mm512_srli_epi16::<8>(first), _mm512_srli_epi16::<8>(second));
            let even = join(first, second);
            let mask = mask(bytes - at);
            let four = [0, 1, 2, 3].map(|four| block.as_ptr().wrapping_add(at + 4 * four * bytes));
            for (row, acc) in acc.iter_mut().enumerate() {
                let at = four[row / 4].wrapping_add(row % 4 * bytes);
                // SAFETY: at most `bytes - at` bytes, the rest of the row, are read from `row * bytes + at` on. They
                // are within the block of `16 * bytes`, because `row` is below 16. No alignment is required.
                let weights = unsafe { _mm512_maskz_loadu_epi8(mask, at) };
                let weights = _mm512_xor_si512(weights, offset);
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(weights), low);
                *acc = _mm512_dpbusd_epi32(*acc, _mm512_and_si512(weights, low), even);
                *acc = _mm512_dpbusd_epi32(*acc, high, odd);
            }
        }
        finish(add_lanes(&acc), row, bias, multiplier, &mut out);
    });
}

/// Returns the low bytes of the half words of two vectors, those of the first vector first.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn join(first: __m512i, second: __m512i) -> __m512i {
    let first = _mm512_castsi256_si512(_mm512_cvtepi16_epi8(first));
    _mm512_inserti64x4::<1>(first, _mm512_cvtepi16_epi8(second))
}

/// Calls `each` with the first row of every block of [`ROWS`]. The last block ends at the last row.
#[inline(always)]
fn for_each_block(rows: usize, mut each: impl FnMut(usize)) {
    for row in (0..rows).step_by(ROWS) {
        each(row.min(rows - ROWS));
    }
}

/// Returns lanes whose sum is `factor` times the sum of `x`: the start value of a row's sum. `factor` is negative.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn products_with(x: &[i8], factor: i8) -> __m512i {
    let mut acc = _mm512_setzero_si512();
    let magnitude = _mm512_set1_epi8(factor.wrapping_neg());
    for at in (0..x.len()).step_by(BYTES) {
        // The magnitude is a u8, so a magnitude of 128 is possible.
        acc = _mm512_dpbusd_epi32(acc, magnitude, load_part(x, at));
    }
    _mm512_sub_epi32(_mm512_setzero_si512(), acc)
}

/// Returns the sum of the lanes of each vector, in the order of the vectors. Four times adds half of the lanes to the
/// other half.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_lanes(acc: &[__m512i; ROWS]) -> __m512i {
    let mut pairs = [_mm512_setzero_si512(); 8];
    for (index, pair) in pairs.iter_mut().enumerate() {
        let (a, b) = (acc[2 * index], acc[2 * index + 1]);
        *pair = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    }
    let mut fours = [_mm512_setzero_si512(); 4];
    for (index, four) in fours.iter_mut().enumerate() {
        let (a, b) = (pairs[2 * index], pairs[2 * index + 1]);
        *four = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    }
    // Each quarter of a vector now has a part of the sums of four rows: 0x88 takes the even quarters of two, 0xdd the
    // odd.
    let [a, b, c, d] = fours;
    let ab = _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
    let cd = _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
    _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(ab, cd), _mm512_shuffle_i32x4::<0xdd>(ab, cd))
}

/// Adds the bias of [`ROWS`] rows from `row` on, scales the sums, and stores them or their entries of a curve.
#[inline]
#[target_feature(enable = "avx512f")]
fn finish(sums: __m512i, row: usize, bias: &[i32], multiplier: &[i32], out: &mut Out<'_>) {
    let rows = row..row + ROWS;
    let bias = load_i32(bias[rows.clone()].first_chunk().expect("sixteen rows"));
    let multiplier = load_i32(multiplier[rows.clone()].first_chunk().expect("sixteen rows"));
    let scaled = requantize(_mm512_add_epi32(sums, bias), multiplier);
    match out {
        Out::Rows(out) => store_i32(out[rows].first_chunk_mut().expect("sixteen rows"), scaled),
        Out::Curve(out, curve) => {
            store_entries(out[rows].first_chunk_mut().expect("sixteen rows"), curve, scaled);
        }
    }
}

/// Computes [`crate::quant::requantize`]: the even lanes as products of 64 bits, then the odd ones.
///
/// The result is 32 bits of the product, from bit 24 on, so a logical shift is as good as an arithmetic one.
#[inline]
#[target_feature(enable = "avx512f")]
fn requantize(acc: __m512i, multiplier: __m512i) -> __m512i {
    const BITS: u32 = MULTIPLIER_FRACTION_BITS;
    let half = _mm512_set1_epi64(1 << (BITS - 1));
    let even = _mm512_add_epi64(_mm512_mul_epi32(acc, multiplier), half);
    let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(acc), _mm512_srli_epi64::<32>(multiplier));
    let odd = _mm512_slli_epi64::<{ 32 - BITS }>(_mm512_add_epi64(odd, half));
    _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<BITS>(even), odd)
}

/// Returns [`Curve::at`] of every lane in the lane's lowest byte; the bytes above it are unspecified.
///
/// Half of the curve is 64 words of four entries. Because tanh is odd, one half is enough for tanh: looking up both
/// halves would take 5 % of a word's time.
#[inline]
#[target_feature(enable = "avx512f")]
fn look_up_curve(curve: &Curve, pre_activation: __m512i) -> __m512i {
    let (halves, _) = curve.0.as_chunks::<256>();
    let negative = _mm512_cmplt_epi32_mask(pre_activation, _mm512_setzero_si512());
    let entry = |word, index| {
        let bit = _mm512_slli_epi32::<3>(_mm512_and_si512(index, _mm512_set1_epi32(3)));
        _mm512_srlv_epi32(word, bit)
    };
    if core::ptr::eq(curve, &TANH) {
        // Unsigned, so the magnitude of i32::MIN is right too.
        let index = _mm512_min_epu32(_mm512_abs_epi32(pre_activation), _mm512_set1_epi32(255));
        let value = entry(look_up_word(&words(&halves[0]), _mm512_srli_epi32::<2>(index)), index);
        return _mm512_mask_sub_epi32(value, negative, _mm512_setzero_si512(), value);
    }
    let (low, high) = (_mm512_set1_epi32(-256), _mm512_set1_epi32(255));
    let saturated = _mm512_min_epi32(_mm512_max_epi32(pre_activation, low), high);
    // Permutations read the lowest bits of an index, so the sign above them does not matter.
    let index = _mm512_srai_epi32::<2>(saturated);
    let [first, second] = [0, 1].map(|half| look_up_word(&words(&halves[half]), index));
    entry(_mm512_mask_blend_epi32(negative, first, second), saturated)
}

/// Returns the first 256 bytes of a table as 64 words in four vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn words<T: bytemuck::NoUninit>(table: &[T]) -> [__m512i; 4] {
    let (parts, _) = bytemuck::cast_slice::<T, u8>(table).as_chunks::<BYTES>();
    [0, 1, 2, 3].map(|part| {
        let part = &parts[part];
        // SAFETY: the reference covers the 64 bytes that are read; no alignment is required.
        unsafe { _mm512_loadu_si512(part.as_ptr().cast()) }
    })
}

/// Returns the word at each index. Only the lowest six bits of an index are used.
///
/// A permutation of two vectors looks up 16 words at once; a gather would load one after the other.
#[inline]
#[target_feature(enable = "avx512f")]
fn look_up_word(&[a, b, c, d]: &[__m512i; 4], index: __m512i) -> __m512i {
    let (lower, upper) = (_mm512_permutex2var_epi32(a, index, b), _mm512_permutex2var_epi32(c, index, d));
    _mm512_mask_blend_epi32(_mm512_test_epi32_mask(index, _mm512_set1_epi32(32)), lower, upper)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_entries(to: &mut [i8; 16], curve: &Curve, pre_activations: __m512i) {
    let bytes = _mm512_cvtepi32_epi8(look_up_curve(curve, pre_activations));
    // SAFETY: the reference covers the 16 bytes that are written; no alignment is required.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), bytes) }
}

#[target_feature(enable = "avx512f")]
fn curve_i8(curve: &Curve, pre_activations: &[i32], out: &mut [i8]) {
    let len = pre_activations.len().min(out.len());
    let (values, values_left) = pre_activations[..len].as_chunks::<16>();
    let (chunks, out_left) = out[..len].as_chunks_mut::<16>();
    for (values, out) in values.iter().zip(chunks) {
        store_entries(out, curve, load_i32(values));
    }
    portable::curve_i8(curve, values_left, out_left);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn gate_i8(values: &mut [i8], gates: &[i8]) {
    for (values, gates) in values.chunks_mut(32).zip(gates.chunks(32)) {
        let mask = u32::MAX >> (32 - values.len().min(gates.len()));
        // SAFETY: the mask selects no more bytes than the slice has.
        let gate = unsafe { _mm256_maskz_loadu_epi8(mask, gates.as_ptr()) };
        // SAFETY: as above.
        let value = unsafe { _mm256_maskz_loadu_epi8(mask, values.as_ptr()) };
        let gate = _mm512_add_epi16(_mm512_cvtepi8_epi16(gate), _mm512_set1_epi16(127));
        let product = _mm512_mullo_epi16(_mm512_cvtepi8_epi16(value), gate);
        // `vpmulhrsw` is (a * b + 2^14) >> 15, as in `quant::gate`.
        let gated = _mm512_cvtepi16_epi8(_mm512_mulhrs_epi16(product, _mm512_set1_epi16(129)));
        // SAFETY: as above, and the slice is borrowed mutably.
        unsafe { _mm256_mask_storeu_epi8(values.as_mut_ptr(), mask, gated) };
    }
}

/// Computes [`crate::kernels::routine::softmax::weigh`], and for it [`crate::math::fixed::exp2_neg`], 16 logits at a
/// time.
#[target_feature(enable = "avx512f")]
fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    let factor = _mm512_set1_epi64(i64::from(softmax::factor(temperature_milli)));
    let (from_table, to_table) = (words(&EXP2_NEG[..64]), words(&EXP2_NEG[1..]));
    let mut largest = _mm512_set1_epi32(i32::MIN);
    for logits in logits.chunks(16) {
        let (mask, logits) = load_some(logits);
        largest = _mm512_mask_max_epi32(largest, mask, largest, logits);
    }
    let largest = _mm512_set1_epi32(_mm512_reduce_max_epi32(largest));
    let mut total = _mm512_setzero_si512();
    for logits in logits.chunks_mut(16) {
        let (mask, values) = load_some(logits);
        let below = _mm512_sub_epi32(largest, values);
        // Eight products of 64 bits; a product that does not fit 32 bits saturates.
        let exponent = |below: __m256i| {
            let product = _mm512_mul_epu32(_mm512_cvtepu32_epi64(below), factor);
            _mm512_cvtusepi64_epi32(_mm512_srli_epi64::<12>(product))
        };
        let lower = exponent(_mm512_castsi512_si256(below));
        let upper = exponent(_mm512_extracti64x4_epi64::<1>(below));
        let x = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(lower), upper);
        let whole = _mm512_srli_epi32::<16>(x);
        let step = _mm512_and_si512(_mm512_srli_epi32::<10>(x), _mm512_set1_epi32(63));
        let rest = _mm512_and_si512(x, _mm512_set1_epi32(1023));
        let (from, to) = (look_up_word(&from_table, step), look_up_word(&to_table, step));
        let slope = _mm512_srli_epi32::<10>(_mm512_mullo_epi32(_mm512_sub_epi32(from, to), rest));
        let shift = _mm512_add_epi32(whole, _mm512_set1_epi32(28 - WEIGHT_FRACTION_BITS as i32));
        let half = _mm512_srli_epi32::<1>(_mm512_sllv_epi32(_mm512_set1_epi32(1), shift));
        let weight = _mm512_srlv_epi32(_mm512_add_epi32(_mm512_sub_epi32(from, slope), half), shift);
        let counts = _mm512_mask_cmple_epu32_mask(mask, whole, _mm512_set1_epi32(WEIGHT_FRACTION_BITS as i32));
        let weight = _mm512_maskz_mov_epi32(counts, weight);
        // SAFETY: only words that the mask selects are written, and they are within the slice. No alignment is
        // required.
        unsafe { _mm512_mask_storeu_epi32(logits.as_mut_ptr(), mask, weight) };
        total = _mm512_add_epi32(total, weight);
    }
    _mm512_reduce_add_epi32(total) as u32
}

/// Loads up to 16 words and fills the rest with zeros. The mask has a bit for each word.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_some(values: &[i32]) -> (__mmask16, __m512i) {
    let mask = if values.len() < 16 { (1 << values.len()) - 1 } else { u16::MAX };
    // SAFETY: only words that the mask selects are read, and they are within the slice. No alignment is required.
    (mask, unsafe { _mm512_maskz_loadu_epi32(mask, values.as_ptr()) })
}

#[target_feature(enable = "avx512f")]
fn look_up(table: Table<'_>, tokens: &[Token], bias: &[i32], multiplier: &[i32], mut out: Out<'_>) {
    let rows = bias.len().min(multiplier.len()).min(out.len());
    if rows < ROWS {
        return portable::look_up(table, tokens, bias, multiplier, out);
    }
    for_each_block(rows, |row| {
        let mut acc = _mm512_setzero_si512();
        for (position, &token) in tokens.iter().enumerate() {
            if let Some(entries) = table.entries(position, token, row).first_chunk::<ROWS>() {
                // SAFETY: the reference covers the 16 bytes that are read; no alignment is required.
                let entries = unsafe { _mm_loadu_si128(entries.as_ptr().cast()) };
                acc = _mm512_add_epi32(acc, _mm512_cvtepi8_epi32(entries));
            }
        }
        finish(acc, row, bias, multiplier, &mut out);
    });
}

/// Computes eight rows for two vectors of 16 streams: `acc[r] += w[r] * (x ^ 0x80)`, with `128 * sum w` subtracted from
/// the bias.
///
/// Here `x` is shifted, because the sum of a row's weights is known beforehand.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tile_i8(weights: &[[u32; LANES]], scaling: &BlockScaling, x: &[Tile<u32>], out: &mut [Tile<i32>; LANES]) {
    let offset = _mm512_set1_epi8(i8::MIN);
    let mut acc = [[_mm512_setzero_si512(); STREAMS / 16]; LANES];
    for (row, acc) in acc.iter_mut().enumerate() {
        *acc = [_mm512_set1_epi32(scaling.bias[row].wrapping_sub(scaling.sum[row].wrapping_mul(128))); 2];
    }
    for (weights, x) in weights.iter().zip(x) {
        let [first, second] = halves(x);
        let x = [_mm512_xor_si512(first, offset), _mm512_xor_si512(second, offset)];
        for (acc, &weights) in acc.iter_mut().zip(weights) {
            let weights = _mm512_set1_epi32(weights as i32);
            *acc = [_mm512_dpbusd_epi32(acc[0], x[0], weights), _mm512_dpbusd_epi32(acc[1], x[1], weights)];
        }
    }
    for (row, (out, acc)) in out.iter_mut().zip(acc).enumerate() {
        let multiplier = _mm512_set1_epi32(scaling.multiplier[row]);
        let (parts, _) = out.0.as_chunks_mut::<16>();
        for (out, acc) in parts.iter_mut().zip(acc) {
            store_i32(out, requantize(acc, multiplier));
        }
    }
}

#[target_feature(enable = "avx512f")]
fn curve_tile_i8(curve: &Curve, pre_activations: &[Tile<i32>; LANES], out: &mut [Tile<u32>; 2]) {
    let byte = _mm512_set1_epi32(255);
    let (fours, _) = pre_activations.as_chunks::<4>();
    for (rows, out) in fours.iter().zip(out) {
        let (parts, _) = out.0.as_chunks_mut::<16>();
        for (part, out) in parts.iter_mut().enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|row: usize| &rows[row].0.as_chunks::<16>().0[part]);
            let a = _mm512_and_si512(look_up_curve(curve, load_i32(a)), byte);
            let b = _mm512_and_si512(look_up_curve(curve, load_i32(b)), byte);
            let c = _mm512_and_si512(look_up_curve(curve, load_i32(c)), byte);
            let d = _mm512_slli_epi32::<24>(look_up_curve(curve, load_i32(d)));
            let ab = _mm512_or_si512(a, _mm512_slli_epi32::<8>(b));
            let cd = _mm512_or_si512(_mm512_slli_epi32::<16>(c), d);
            store_u32(out, _mm512_or_si512(ab, cd));
        }
    }
}

/// Calls the AVX2 kernel: a block of eight rows fills only half a vector, and combining two blocks would save nothing.
#[target_feature(enable = "avx512f")]
fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    super::avx2::vec_mat_f32(weights, bias, x, y);
}

#[target_feature(enable = "avx512f,avx512vl")]
fn activate_f32(activation: Activation, values: &mut [f32]) {
    portable::activate_f32(activation, values);
}

/// Computes eight rows for two vectors of 16 streams. The 16 sums cover the latency of an addition.
#[target_feature(enable = "avx512f")]
fn tile_f32(weights: &[[f32; LANES]], bias: &[f32; LANES], x: &[Tile<f32>], out: &mut [Tile<f32>; LANES]) {
    let mut acc = [[_mm512_setzero_ps(); STREAMS / 16]; LANES];
    for (acc, &bias) in acc.iter_mut().zip(bias) {
        *acc = [_mm512_set1_ps(bias); 2];
    }
    for (weights, x) in weights.iter().zip(x) {
        let (parts, _) = x.0.as_chunks::<16>();
        let x = [load_f32(&parts[0]), load_f32(&parts[1])];
        for (acc, &weight) in acc.iter_mut().zip(weights) {
            let weight = _mm512_set1_ps(weight);
            acc[0] = _mm512_add_ps(acc[0], _mm512_mul_ps(weight, x[0]));
            acc[1] = _mm512_add_ps(acc[1], _mm512_mul_ps(weight, x[1]));
        }
    }
    for (out, acc) in out.iter_mut().zip(acc) {
        let (parts, _) = out.0.as_chunks_mut::<16>();
        for (out, acc) in parts.iter_mut().zip(acc) {
            // SAFETY: the reference covers the 64 bytes that are written; no alignment is required.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), acc) };
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_f32(values: &[f32; 16]) -> __m512 {
    // SAFETY: the reference covers the 64 bytes that are read; no alignment is required.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

/// Loads the bytes from `at` on, at most 64, and fills the rest with zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_part(bytes: &[i8], at: usize) -> __m512i {
    let mask = mask(bytes.len().saturating_sub(at));
    // SAFETY: only bytes that the mask selects are read, and they are within the slice. No alignment is required.
    unsafe { _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().wrapping_add(at)) }
}

/// Returns a mask with a bit for each of the first `len` bytes of a vector.
#[inline(always)]
fn mask(len: usize) -> u64 {
    if len < BYTES { (1 << len) - 1 } else { u64::MAX }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_i32(values: &[i32; 16]) -> __m512i {
    // SAFETY: the reference covers the 64 bytes that are read; no alignment is required.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_i32(to: &mut [i32; 16], value: __m512i) {
    // SAFETY: the reference covers the 64 bytes that are written; no alignment is required.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_u32(to: &mut [u32; 16], value: __m512i) {
    // SAFETY: the reference covers the 64 bytes that are written; no alignment is required.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn halves(tile: &Tile<u32>) -> [__m512i; 2] {
    let (parts, _) = tile.0.as_chunks::<16>();
    // SAFETY: a chunk of 16 words covers the 64 bytes that are read; no alignment is required.
    let first = unsafe { _mm512_loadu_si512(parts[0].as_ptr().cast()) };
    // SAFETY: as above.
    let second = unsafe { _mm512_loadu_si512(parts[1].as_ptr().cast()) };
    [first, second]
}
