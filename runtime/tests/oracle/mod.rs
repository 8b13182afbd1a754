//! Second definition of the arithmetic, in f64 and i128 and without any code of the runtime. Kernels are compared with
//! it. `QUANTIZATION.md` has the equations of the integers.
#![allow(dead_code, reason = "no test program needs all of it")]

/// Returns `requantize(bias + sum w[c] * x[c], multiplier)`.
pub fn row(bias: i32, weights: &[i8], x: &[i8], multiplier: i32) -> i32 {
    // Whole numbers below 2^53: every f64 of the sum is exact.
    let products = weights.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x));
    requantize(f64::from(bias) + products.sum::<f64>(), multiplier)
}

/// Returns a sum times a multiplier in units of 2^-24, rounded to nearest, halves towards positive infinity:
/// `floor(p / 2^24 + 1/2)`. Computed in i128, because the product may have more bits than an f64.
pub fn requantize(acc: f64, multiplier: i32) -> i32 {
    let twice = 2 * (acc as i128) * i128::from(multiplier);
    i32::try_from((twice + (1 << 24)).div_euclid(1 << 25)).expect("a result of 32 bits")
}

/// Returns `127 * tanh(p / 64)` rounded to nearest, and 127 from 256 on.
pub fn tanh(pre_activation: i32) -> i8 {
    let magnitude = match f64::from(pre_activation).abs() {
        p if p < 256.0 => (127.0 * (p / 64.0).tanh()).round(),
        _ => 127.0,
    };
    (magnitude * f64::from(pre_activation.signum())) as i8
}

/// Returns `v * (127 + g) * 258 / 2^16` rounded to nearest. It approximates `v * (127 + g) / 254`, and is off by at
/// most 0.508.
pub fn gate(value: i8, gate: i8) -> i8 {
    let product = f64::from(value) * (127.0 + f64::from(gate));
    let gated = (product * 258.0 / 65_536.0 + 0.5).floor();
    assert!((gated - product / 254.0).abs() <= 0.508, "{value} {gate}");
    gated as i8
}

/// Returns `bias + sum w[c] * x[c]`, and the largest difference to it of a sum in f32 in any order: each of `n`
/// products and `n` sums is rounded by at most 2^-24 of its magnitude, which never exceeds the sum of all magnitudes
/// (Higham, "Accuracy and Stability", 3.1).
pub fn row_f32(bias: f32, products: impl Iterator<Item = (f32, f32)>) -> (f64, f64) {
    let (mut sum, mut magnitude, mut roundings) = (f64::from(bias), f64::from(bias).abs(), 1.0);
    for (w, x) in products {
        // Exact: a product of 24 bits by 24 bits.
        let product = f64::from(w) * f64::from(x);
        sum += product;
        magnitude += product.abs();
        roundings += 1.0;
    }
    let share = roundings / 16_777_216.0;
    (sum, magnitude * share / (1.0 - share))
}
