//! AVX2: 32 products of bytes in four instructions.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use crate::activation::{Activation, Curve};
use crate::kernels::Out;
use crate::kernels::host::methods::methods;
use crate::kernels::host::portable;
use crate::kernels::host::tile::{Bias, BlockScaling, STREAMS, Table, Tile};
use crate::quant::MULTIPLIER_FRACTION_BITS;
use crate::rows::LANES;
use crate::vocab::Token;

/// Proof that this machine has the instructions.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// Asks the machine for the instructions.
    #[inline]
    pub fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

methods! { Avx2 }

/// Number of rows whose sums are kept in registers.
const ROWS: usize = 8;
/// Bytes of a vector.
const BYTES: usize = 32;

/// Computes, for each block of 8 rows, for each 32 columns:
///
/// ```text
/// for r in 0..8 { acc[r] += |x| * (w[r] with the sign of x) }    vpsignb, vpmaddubsw, vpmaddwd by 1, vpaddd
/// out = requantize(bias + lanes of acc)
/// ```
///
/// 1. `vpmaddubsw` adds two products in 16 bits, and saturates. It never does here: `128 * 127 + 128 * 127` is 32,512.
/// 2. The last block begins 8 rows before the end and computes some rows again, instead of being shorter.
#[target_feature(enable = "avx2")]
fn rows_i8(weights: &[i8], x: &[i8], bias: Bias<'_>, multiplier: &[i32], mut out: Out<'_>) {
    let fan_in = x.len();
    let rows = bias.plain.len().min(multiplier.len()).min(out.len()).min(weights.len() / fan_in.max(1));
    if rows < ROWS {
        return portable::rows_i8(weights, x, bias, multiplier, out);
    }
    for_each_block(rows, |row| {
        let block = &weights[row * fan_in..(row + ROWS) * fan_in];
        let mut acc = [_mm256_setzero_si256(); ROWS];
        for column in (0..fan_in).step_by(BYTES) {
            let x = load_part(x, column, fan_in - column);
            let magnitude = _mm256_abs_epi8(x);
            for (row, acc) in acc.iter_mut().enumerate() {
                let weights = load_part(block, row * fan_in + column, fan_in - column);
                *acc = add_products(*acc, magnitude, _mm256_sign_epi8(weights, x));
            }
        }
        finish(add_lanes(&acc), row, bias.plain, multiplier, &mut out);
    });
}

/// Computes a layer like [`rows_i8`]. A vector of weights covers two vectors of columns, even and odd.
///
/// `w + 8`, which is `w ^ 8` in four bits, is never negative. Subtracting `8 sum x` corrects the sum.
#[target_feature(enable = "avx2")]
fn rows_i4(weights: &[u8], x: &[i8], bias: &[i32], multiplier: &[i32], mut out: Out<'_>) {
    let bytes = x.len().div_ceil(2);
    let rows = bias.len().min(multiplier.len()).min(out.len()).min(weights.len() / bytes.max(1));
    if rows < ROWS {
        return portable::rows_i4(weights, x, bias, multiplier, out);
    }
    let offset = _mm256_set1_epi8(0x88_u8 as i8);
    let low = _mm256_set1_epi8(15);
    let sum: i32 = x.iter().fold(0, |sum, &x| sum.wrapping_add(i32::from(x)));
    let correction = _mm256_set1_epi32(sum.wrapping_mul(-8));
    let weights: &[i8] = bytemuck::cast_slice(weights);
    for_each_block(rows, |row| {
        let block = &weights[row * bytes..(row + ROWS) * bytes];
        let mut acc = [_mm256_setzero_si256(); ROWS];
        for at in (0..bytes).step_by(BYTES) {
            let first = load_part(x, 2 * at, x.len() - 2 * at);
            let second = load_part(x, 2 * at + BYTES, x.len().saturating_sub(2 * at + BYTES));
            let even = join(_mm256_slli_epi16::<8>(first), _mm256_slli_epi16::<8>(second));
            let odd = join(first, second);
            for (row, acc) in acc.iter_mut().enumerate() {
                let weights = _mm256_xor_si256(load_part(block, row * bytes + at, bytes - at), offset);
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(weights), low);
                *acc = add_products(*acc, _mm256_and_si256(weights, low), even);
                *acc = add_products(*acc, high, odd);
            }
        }
        finish(_mm256_add_epi32(add_lanes(&acc), correction), row, bias, multiplier, &mut out);
    });
}

/// Returns the high bytes of the half words of two vectors, those of the first vector first.
#[inline]
#[target_feature(enable = "avx2")]
fn join(first: __m256i, second: __m256i) -> __m256i {
    // Signed half words that fit a byte are packed unchanged, quarter by quarter. The permutation sorts the quarters.
    let packed = _mm256_packs_epi16(_mm256_srai_epi16::<8>(first), _mm256_srai_epi16::<8>(second));
    _mm256_permute4x64_epi64::<0xd8>(packed)
}

/// Adds the sum of four products to each lane of `acc`. Sums of two products must fit 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn add_products(acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(unsigned, signed);
    _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
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
#[target_feature(enable = "avx2")]
fn add_lanes(acc: &[__m256i; ROWS]) -> __m256i {
    let [a, b, c, d, e, f, g, h] = *acc;
    let abcd = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let efgh = _mm256_hadd_epi32(_mm256_hadd_epi32(e, f), _mm256_hadd_epi32(g, h));
    // Each half of a vector has a part of its four sums.
    let low = _mm256_permute2x128_si256::<0x20>(abcd, efgh);
    _mm256_add_epi32(low, _mm256_permute2x128_si256::<0x31>(abcd, efgh))
}

/// Adds the bias of [`ROWS`] rows from `row` on, scales the sums, and stores them or their entries of a curve.
#[inline]
#[target_feature(enable = "avx2")]
fn finish(sums: __m256i, row: usize, bias: &[i32], multiplier: &[i32], out: &mut Out<'_>) {
    let rows = row..row + ROWS;
    let bias = load_i32(bias[rows.clone()].first_chunk().expect("eight rows"));
    let multiplier = load_i32(multiplier[rows.clone()].first_chunk().expect("eight rows"));
    let scaled = requantize(_mm256_add_epi32(sums, bias), multiplier);
    match out {
        Out::Rows(out) => store_i32(out[rows].first_chunk_mut().expect("eight rows"), scaled),
        Out::Curve(out, curve) => {
            let words = look_up_curve(curve, scaled);
            let halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            let bytes = _mm_packs_epi16(halves, halves);
            let out: &mut [i8; ROWS] = out[rows].first_chunk_mut().expect("eight rows");
            // SAFETY: the reference covers the eight bytes that are written; no alignment is required.
            unsafe { _mm_storel_epi64(out.as_mut_ptr().cast(), bytes) }
        }
    }
}

/// Computes [`crate::quant::requantize`]: the even lanes as products of 64 bits, then the odd ones.
///
/// The result is 32 bits of the product, from bit 24 on, so a logical shift is as good as an arithmetic one.
#[inline]
#[target_feature(enable = "avx2")]
fn requantize(acc: __m256i, multiplier: __m256i) -> __m256i {
    const BITS: i32 = MULTIPLIER_FRACTION_BITS as i32;
    let half = _mm256_set1_epi64x(1 << (BITS - 1));
    let even = _mm256_add_epi64(_mm256_mul_epi32(acc, multiplier), half);
    let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(acc), _mm256_srli_epi64::<32>(multiplier));
    let odd = _mm256_slli_epi64::<{ 32 - BITS }>(_mm256_add_epi64(odd, half));
    _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<BITS>(even), odd)
}

/// Returns [`Curve::at`] of every lane.
///
/// The curve is 128 words of four entries. Shifting an entry to the top of its lane and down again extends the sign.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up_curve(curve: &Curve, pre_activation: __m256i) -> __m256i {
    let saturated = _mm256_min_epi32(_mm256_max_epi32(pre_activation, _mm256_set1_epi32(-256)), _mm256_set1_epi32(255));
    // The upper seven of the nine bits of the index select the word, the lower two the byte in it.
    let word = _mm256_and_si256(_mm256_srli_epi32::<2>(saturated), _mm256_set1_epi32(127));
    // SAFETY: every index is at most 127, is scaled by four bytes, and the curve has 128 words of four bytes. No
    // alignment is required.
    let word = unsafe { _mm256_i32gather_epi32::<4>(curve.0.as_ptr().cast(), word) };
    let above = _mm256_slli_epi32::<3>(_mm256_andnot_si256(saturated, _mm256_set1_epi32(3)));
    _mm256_srai_epi32::<24>(_mm256_sllv_epi32(word, above))
}

#[target_feature(enable = "avx2")]
fn curve_i8(curve: &Curve, pre_activations: &[i32], out: &mut [i8]) {
    let len = pre_activations.len().min(out.len());
    let (values, values_left) = pre_activations[..len].as_chunks::<16>();
    let (chunks, out_left) = out[..len].as_chunks_mut::<16>();
    for (values, out) in values.iter().zip(chunks) {
        let (halves, _) = values.as_chunks::<8>();
        let look = |values: &[i32; 8]| look_up_curve(curve, load_i32(values));
        let packed = _mm256_packs_epi32(look(&halves[0]), look(&halves[1]));
        let sorted = _mm256_permute4x64_epi64::<0xd8>(packed);
        let bytes = _mm_packs_epi16(_mm256_castsi256_si128(sorted), _mm256_extracti128_si256::<1>(sorted));
        // SAFETY: the reference covers the 16 bytes that are written; no alignment is required.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), bytes) };
    }
    portable::curve_i8(curve, values_left, out_left);
}

#[target_feature(enable = "avx2")]
fn gate_i8(values: &mut [i8], gates: &[i8]) {
    let len = values.len().min(gates.len());
    let (chunks, rest) = values[..len].as_chunks_mut::<16>();
    let (others, rest_of_gates) = gates[..len].as_chunks::<16>();
    for (values, gates) in chunks.iter_mut().zip(others) {
        // SAFETY: the reference covers the 16 bytes that are read; no alignment is required.
        let gate = unsafe { _mm_loadu_si128(gates.as_ptr().cast()) };
        // SAFETY: as above.
        let value = unsafe { _mm_loadu_si128(values.as_ptr().cast()) };
        let gated = gate_16(_mm256_cvtepi8_epi16(value), _mm256_cvtepi8_epi16(gate));
        // SAFETY: the reference covers the 16 bytes that are written; no alignment is required.
        unsafe { _mm_storeu_si128(values.as_mut_ptr().cast(), gated) };
    }
    // Usual at the end, because rows come in blocks of eight.
    let (chunks, rest) = rest.as_chunks_mut::<8>();
    let (others, rest_of_gates) = rest_of_gates.as_chunks::<8>();
    for (values, gates) in chunks.iter_mut().zip(others) {
        let [value, gate] =
            [&*values, gates].map(|bytes| _mm_cvtsi64_si128(i64::from_le_bytes(bytes.map(|x| x as u8))));
        let gated = gate_16(_mm256_cvtepi8_epi16(value), _mm256_cvtepi8_epi16(gate));
        *values = _mm_cvtsi128_si64(gated).to_le_bytes().map(|byte| byte as i8);
    }
    portable::gate_i8(rest, rest_of_gates);
}

/// Computes [`crate::quant::gate`] of 16 lanes: `vpmulhrsw` is `(a * b + 2^14) >> 15`.
#[inline]
#[target_feature(enable = "avx2")]
fn gate_16(value: __m256i, gate: __m256i) -> __m128i {
    let product = _mm256_mullo_epi16(value, _mm256_add_epi16(gate, _mm256_set1_epi16(127)));
    let gated = _mm256_mulhrs_epi16(product, _mm256_set1_epi16(129));
    _mm_packs_epi16(_mm256_castsi256_si128(gated), _mm256_extracti128_si256::<1>(gated))
}

/// Compiles the portable function for AVX2. Most of a version with intrinsics would be lookups in a table.
#[target_feature(enable = "avx2")]
fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    portable::weigh(logits, temperature_milli)
}

#[target_feature(enable = "avx2")]
fn look_up(table: Table<'_>, tokens: &[Token], bias: &[i32], multiplier: &[i32], mut out: Out<'_>) {
    let rows = bias.len().min(multiplier.len()).min(out.len());
    if rows < ROWS {
        return portable::look_up(table, tokens, bias, multiplier, out);
    }
    for_each_block(rows, |row| {
        let mut acc = _mm256_setzero_si256();
        for (position, &token) in tokens.iter().enumerate() {
            if let Some(entries) = table.entries(position, token, row).first_chunk::<ROWS>() {
                // SAFETY: the reference covers the 8 bytes that are read; no alignment is required.
                let entries = unsafe { _mm_loadl_epi64(entries.as_ptr().cast()) };
                acc = _mm256_add_epi32(acc, _mm256_cvtepi8_epi32(entries));
            }
        }
        finish(acc, row, bias, multiplier, &mut out);
    });
}

/// Computes eight rows for eight streams at a time, with the products of [`rows_i8`].
#[target_feature(enable = "avx2")]
fn tile_i8(weights: &[[u32; LANES]], scaling: &BlockScaling, x: &[Tile<u32>], out: &mut [Tile<i32>; LANES]) {
    for part in 0..STREAMS / 8 {
        let mut acc = [_mm256_setzero_si256(); LANES];
        for (weights, x) in weights.iter().zip(x) {
            let x = load_u32(&x.0.as_chunks::<8>().0[part]);
            let magnitude = _mm256_abs_epi8(x);
            for (acc, &weights) in acc.iter_mut().zip(weights) {
                let weights = _mm256_set1_epi32(weights as i32);
                *acc = add_products(*acc, magnitude, _mm256_sign_epi8(weights, x));
            }
        }
        for (row, (out, acc)) in out.iter_mut().zip(acc).enumerate() {
            let sums = _mm256_add_epi32(acc, _mm256_set1_epi32(scaling.bias[row]));
            let scaled = requantize(sums, _mm256_set1_epi32(scaling.multiplier[row]));
            store_i32(&mut out.0.as_chunks_mut::<8>().0[part], scaled);
        }
    }
}

#[target_feature(enable = "avx2")]
fn curve_tile_i8(curve: &Curve, pre_activations: &[Tile<i32>; LANES], out: &mut [Tile<u32>; 2]) {
    let byte = _mm256_set1_epi32(255);
    let (fours, _) = pre_activations.as_chunks::<4>();
    for (rows, out) in fours.iter().zip(out) {
        let (parts, _) = out.0.as_chunks_mut::<8>();
        for (part, out) in parts.iter_mut().enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|row: usize| &rows[row].0.as_chunks::<8>().0[part]);
            let a = _mm256_and_si256(look_up_curve(curve, load_i32(a)), byte);
            let b = _mm256_and_si256(look_up_curve(curve, load_i32(b)), byte);
            let c = _mm256_and_si256(look_up_curve(curve, load_i32(c)), byte);
            let d = _mm256_slli_epi32::<24>(look_up_curve(curve, load_i32(d)));
            let ab = _mm256_or_si256(a, _mm256_slli_epi32::<8>(b));
            let cd = _mm256_or_si256(_mm256_slli_epi32::<16>(c), d);
            let words = _mm256_or_si256(ab, cd);
            // SAFETY: the reference covers the 32 bytes that are written; no alignment is required.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), words) };
        }
    }
}

/// Computes eight blocks of eight rows at a time, then four, then one: a sum must wait for the addition before it, so a
/// single block would leave the adders idle most of the time.
#[target_feature(enable = "avx2")]
pub(super) fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
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
#[target_feature(enable = "avx2")]
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
        let mut acc = [_mm256_setzero_ps(); BLOCKS];
        for (acc, bias) in acc.iter_mut().zip(bias) {
            *acc = load_f32(bias);
        }
        for (column, &x) in x.iter().enumerate() {
            let x = _mm256_set1_ps(x);
            let at = group.as_ptr().wrapping_add(column);
            for (block, acc) in acc.iter_mut().enumerate() {
                let at = at.wrapping_add(block * fan_in).cast();
                // SAFETY: column `column`, which is below `fan_in`, of block `block`, which is below `BLOCKS`, has
                // eight values within the group of `BLOCKS * fan_in` columns. No alignment is required.
                let weights = unsafe { _mm256_loadu_ps(at) };
                *acc = _mm256_add_ps(*acc, _mm256_mul_ps(weights, x));
            }
        }
        for (y, acc) in y.iter_mut().zip(acc) {
            store_f32(y, acc);
        }
    }
    weights
}

#[target_feature(enable = "avx2")]
fn activate_f32(activation: Activation, values: &mut [f32]) {
    portable::activate_f32(activation, values);
}

/// Computes eight rows for eight streams at a time.
#[target_feature(enable = "avx2")]
fn tile_f32(weights: &[[f32; LANES]], bias: &[f32; LANES], x: &[Tile<f32>], out: &mut [Tile<f32>; LANES]) {
    for part in 0..STREAMS / 8 {
        let mut acc = [_mm256_setzero_ps(); LANES];
        for (acc, &bias) in acc.iter_mut().zip(bias) {
            *acc = _mm256_set1_ps(bias);
        }
        for (weights, x) in weights.iter().zip(x) {
            let x = load_f32(&x.0.as_chunks::<8>().0[part]);
            for (acc, &weight) in acc.iter_mut().zip(weights) {
                *acc = _mm256_add_ps(*acc, _mm256_mul_ps(_mm256_set1_ps(weight), x));
            }
        }
        for (out, acc) in out.iter_mut().zip(acc) {
            store_f32(&mut out.0.as_chunks_mut::<8>().0[part], acc);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_f32(values: &[f32; 8]) -> __m256 {
    // SAFETY: the reference covers the 32 bytes that are read; no alignment is required.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_f32(to: &mut [f32; 8], value: __m256) {
    // SAFETY: the reference covers the 32 bytes that are written; no alignment is required.
    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), value) }
}

/// Loads the first `len` bytes from `at` on, at most 32, and fills the rest with zeros.
///
/// # Panics
/// If the slice has fewer bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn load_part(bytes: &[i8], at: usize, len: usize) -> __m256i {
    if len >= BYTES {
        assert!(at + BYTES <= bytes.len());
        // SAFETY: the 32 bytes that are read are within the slice, as was just checked; no alignment is required.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().wrapping_add(at).cast()) }
    } else {
        let mut padded = [0_i8; BYTES];
        if len > 0 {
            padded[..len].copy_from_slice(&bytes[at..][..len]);
        }
        // SAFETY: the array is the 32 bytes that are read; no alignment is required.
        unsafe { _mm256_loadu_si256(padded.as_ptr().cast()) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_i32(values: &[i32; 8]) -> __m256i {
    // SAFETY: the reference covers the 32 bytes that are read; no alignment is required.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_u32(values: &[u32; 8]) -> __m256i {
    // SAFETY: the reference covers the 32 bytes that are read; no alignment is required.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_i32(to: &mut [i32; 8], value: __m256i) {
    // SAFETY: the reference covers the 32 bytes that are written; no alignment is required.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), value) }
}
