#![doc = include_str!("../QUANTIZATION.md")]

use crate::insn::smmulr;

/// Largest magnitude of an activation: 127 represents 1, so that tanh fits exactly. -128 never occurs.
pub const ACTIVATION_MAX: i32 = 127;
/// Fraction bits of a pre-activation, the argument of tanh: its unit is 1/64.
pub const PRE_ACTIVATION_FRACTION_BITS: u32 = 6;
/// Fraction bits of a logit: its unit is 1/1024 nat.
pub const LOGIT_FRACTION_BITS: u32 = 10;
/// Fraction bits of a multiplier.
pub const MULTIPLIER_FRACTION_BITS: u32 = 24;
/// Limit that every accumulator remains below in magnitude, at every step of its sum. The loader checks the weights for
/// that.
///
/// The limit leaves room to keep a sum times 256 in 32 bits, as packed kernels do.
pub const ACC_LIMIT: i32 = 1 << 23;

/// Returns `acc * multiplier / 2^24`, rounded to nearest, halves up.
///
/// `acc` is in `(-2^23, 2^23)` and `multiplier` in `[0, 2^31)`, so the result always fits.
///
/// ```
/// use runtime::quant::requantize;
/// assert_eq!(requantize(3, 1 << 23), 2); // 1.5 rounds up
/// assert_eq!(requantize(-3, 1 << 23), -1); // -1.5 rounds up, too
/// ```
#[inline]
pub fn requantize(acc: i32, multiplier: i32) -> i32 {
    if cfg!(kernel = "dsp") {
        return requantize_upper_half(acc, multiplier);
    }
    if cfg!(kernel = "v6m") {
        return requantize_by_halves(acc, multiplier);
    }
    let product = i64::from(acc) * i64::from(multiplier);
    ((product + (1 << (MULTIPLIER_FRACTION_BITS - 1))) >> MULTIPLIER_FRACTION_BITS) as i32
}

/// Computes [`requantize`] on a core that has an instruction for the rounded upper half of a product. One more
/// instruction shifts the sum, which is below 2^23.
#[inline]
fn requantize_upper_half(acc: i32, multiplier: i32) -> i32 {
    smmulr(acc << 8, multiplier)
}

/// Computes [`requantize`] on a core whose only multiplication is 32 by 32 to 32 bits, from four products of halves.
/// The compiler would compute all 64 bits.
///
/// ```text
/// acc = 2^8 a + b, multiplier = 2^16 m + n:    acc * multiplier = 2^24 a m + 2^8 a n + 2^16 b m + b n
/// ```
///
/// `a m` is a whole number of units of the result. The last 8 bits of the rest are dropped, then two sums below 2^32
/// are added half by half.
#[inline]
fn requantize_by_halves(acc: i32, multiplier: i32) -> i32 {
    let (a, b) = (acc >> 8, acc & 0xff);
    let (m, n) = (multiplier >> 16, multiplier & 0xffff);
    let left = a.wrapping_mul(n);
    let right = ((b * m) as u32) << 8;
    let right = right.wrapping_add((b * n + (1 << (MULTIPLIER_FRACTION_BITS - 1))) as u32 >> 8);
    let low = (left as u32 & 0xffff) + (right & 0xffff);
    a * m + (left >> 16) + (right >> 16) as i32 + (low >> 16) as i32
}

/// Returns tanh, in units of 1/127, of a pre-activation in units of 1/64. Beyond the table, which ends at 4, it is
/// +-127.
///
/// ```
/// use runtime::quant::tanh_i8;
/// assert_eq!(tanh_i8(64), 97); // tanh(1) = 0.7616, times 127
/// assert_eq!(tanh_i8(-64), -97);
/// assert_eq!(tanh_i8(1_000_000), 127);
/// ```
#[inline]
pub fn tanh_i8(pre_activation: i32) -> i8 {
    crate::activation::TANH.at(pre_activation)
}

/// Returns `value * (1 + gate) / 2`, all in units of 1/127: the last step of [`crate::activation::Activation::Gated`],
/// after `tanh` of both.
///
/// Dividing by 254 is done by multiplying by 258 / 65,536 and rounding to nearest; the result is within 0.508 of the
/// quotient. It is one instruction on cores that double and halve 16-bit products (VQRDMULH by 129).
///
/// ```
/// use runtime::quant::gate;
/// assert_eq!(gate(127, 127), 127); // 1 * sigmoid(infinity)
/// assert_eq!(gate(-127, 0), -63); // -1 * sigmoid(0) = -63.5
/// assert_eq!(gate(100, -127), 0);
/// ```
#[inline]
pub fn gate(value: i8, gate: i8) -> i8 {
    let product = i32::from(value) * (ACTIVATION_MAX + i32::from(gate));
    // At most 127 in magnitude.
    ((product * 258 + (1 << 15)) >> 16) as i8
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn the_table_is_tanh() {
        for i in -2000..=2000_i32 {
            let exact = (127.0 * (f64::from(i) / 64.0).tanh()).round();
            assert_eq!(f64::from(tanh_i8(i)), exact, "{i}");
        }
        assert_eq!((tanh_i8(i32::MIN), tanh_i8(i32::MAX)), (-127, 127));
    }

    #[test]
    fn the_gate_is_within_its_bound() {
        for value in -127..=127_i8 {
            for other in -127..=127_i8 {
                let product = i32::from(value) * (127 + i32::from(other));
                let error = f64::from(gate(value, other)) - f64::from(product) / 254.0;
                assert!(error.abs() <= 0.508, "{value} {other}: {error}");
            }
        }
    }

    #[test]
    fn every_way_gives_the_same() {
        let mut seed = 1_u64;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // 24 bits with their sign, and 31 bits.
            let (acc, multiplier) = (((seed >> 40) as i32) << 8 >> 8, (seed >> 9) as i32 & i32::MAX);
            let acc = acc.max(1 - ACC_LIMIT);
            let exact = (i64::from(acc) * i64::from(multiplier) + (1 << 23)) >> 24;
            for run in [requantize, requantize_by_halves, requantize_upper_half] {
                assert_eq!(i64::from(run(acc, multiplier)), exact, "{acc} * {multiplier}");
            }
        }
    }

    #[test]
    fn requantize_rounds_to_nearest() {
        let largest = ACC_LIMIT - 1;
        for acc in [0, 1, -1, 2, -3, 1000, -1001, 54_321, largest, -largest] {
            for multiplier in [0, 1, 2, 1000, 1331, (1 << 23) - 1, 1 << 23, 1 << 24, i32::MAX] {
                // floor(product / 2^24 + 1/2), in integers: a f64 cannot hold the largest products.
                let twice = 2 * i128::from(acc) * i128::from(multiplier);
                let exact = (twice + (1 << MULTIPLIER_FRACTION_BITS)).div_euclid(2 << MULTIPLIER_FRACTION_BITS);
                for run in [requantize, requantize_by_halves, requantize_upper_half] {
                    assert_eq!(i128::from(run(acc, multiplier)), exact, "{acc} * {multiplier}");
                }
            }
        }
    }
}
