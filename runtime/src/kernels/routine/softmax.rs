//! Draws from integer logits without floating point, by a softmax in fixed point.

use crate::math::fixed::{exp2_neg_parts, ln};
use crate::quant::LOGIT_FRACTION_BITS;
use crate::vocab::Token;

/// `2^16 / (2^10 ln 2) * 2^12 * 1000`: a difference of one unit of logit, at temperature 1/1000, as an exponent of two
/// with 16 fraction bits, in units of 2^-12.
const EXPONENT_PER_LOGIT: u32 = 378_193_849;
const _: () = assert!(LOGIT_FRACTION_BITS == 10);

/// Replaces logits by weights proportional to their probabilities, with [`crate::math::fixed::WEIGHT_FRACTION_BITS`],
/// and returns the sum of the weights. The largest weight is 1, that is 2^23.
///
/// A probability is off by at most 5e-5 relative plus 2^-23 at temperatures up to 1. At higher temperatures the factor
/// is coarser: see [`crate::quant`].
#[inline]
pub fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    let factor = factor(temperature_milli);
    let largest = logits.iter().copied().fold(i32::MIN, i32::max);
    let mut total = 0_u32;
    for logit in logits {
        let weight = weight(*logit, largest, factor);
        // No overflow: at most 256 weights of at most 2^23.
        total = total.wrapping_add(weight);
        *logit = weight as i32;
    }
    total
}

/// Returns the exponent of two, in units of 2^-28, of a difference of one unit of logit at a temperature.
#[inline]
pub(crate) fn factor(temperature_milli: u16) -> u32 {
    let temperature = u32::from(temperature_milli.max(1));
    quotient(EXPONENT_PER_LOGIT + temperature / 2, temperature)
}

/// Returns `a / b`; `b` is not 0.
#[inline]
fn quotient(a: u32, b: u32) -> u32 {
    if cfg!(kernel = "v6m") { quotient_by_bits(a, b) } else { a / b }
}

/// Computes [`quotient`] bit by bit, for a core without a division instruction. It runs once per character, so it need
/// not be fast. `b` is below 2^31.
#[inline]
fn quotient_by_bits(mut a: u32, b: u32) -> u32 {
    // Each step shifts the next bit of `a` out at the top, and a bit of the quotient in at the bottom.
    let mut rest = 0;
    for _ in 0..u32::BITS {
        rest = rest << 1 | a >> 31;
        a <<= 1;
        if rest >= b {
            rest -= b;
            a |= 1;
        }
    }
    a
}

/// Returns the weight of a logit, which is not above the largest.
#[inline]
fn weight(logit: i32, largest: i32, factor: u32) -> u32 {
    // At every temperature, the weight at this limit is 0. Shifting by four bits puts the whole part of the exponent
    // into the upper word of the product.
    let below = (largest.wrapping_sub(logit) as u32).min(u32::MAX >> 4) << 4;
    let exponent = u64::from(below) * u64::from(factor);
    exp2_neg_parts((exponent >> 32) as u32, exponent as u32)
}

/// Returns `random / 2^32` of a sum.
#[inline]
pub(crate) fn threshold(total: u32, random: u32) -> u32 {
    ((u64::from(random) * u64::from(total)) >> 32) as u32
}

/// Returns the token whose share of the weights, laid end to end, contains `random / 2^32` of their sum.
#[inline]
pub fn pick(weights: &[i32], total: u32, random: u32) -> Token {
    let mut left = threshold(total, random);
    for (index, &weight) in weights.iter().enumerate() {
        match left.checked_sub(weight as u32) {
            Some(rest) => left = rest,
            // No truncation: there are at most 256 weights (see `config`).
            None => return index as Token,
        }
    }
    0
}

/// Returns the negative log-likelihood of a logit among `logits`, in millionths of a nat.
///
/// The result is off by at most 60; it is [`u32::MAX`] for all values above 4,294 nats.
pub fn nll_micronats(logits: &[i32], logit: i32) -> u32 {
    let largest = logits.iter().copied().max().unwrap_or(logit);
    let factor = factor(1000);
    let total = logits.iter().fold(0_u32, |total, &other| total.wrapping_add(weight(other, largest, factor)));
    let nats = u64::from(ln(total)) + (u64::from(largest.abs_diff(logit)) << (24 - LOGIT_FRACTION_BITS));
    // Saturating, because logits at both ends of the range of requantization are 2^31 apart.
    u32::try_from(nats.saturating_mul(1_000_000) >> 24).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn bit_by_bit_is_a_division() {
        // Every divisor possible, and dividends next to its multiples.
        for b in 1..=u32::from(u16::MAX) {
            for a in [0, 1, b - 1, b, b + 1, 7 * b, EXPONENT_PER_LOGIT + b / 2, u32::MAX - b, u32::MAX] {
                assert_eq!(quotient_by_bits(a, b), a / b, "{a} / {b}");
                assert_eq!(quotient(a, b), a / b, "{a} / {b}");
            }
        }
    }

    #[test]
    fn picks_the_one_that_holds_the_share() {
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed
        };
        for case in 0..20_000 {
            // About half of the weights are zero.
            let weights: Vec<i32> =
                (0..case % 40).map(|_| if random() < 1 << 31 { 0 } else { (random() >> 9) as i32 }).collect();
            let total: u32 = weights.iter().map(|&weight| weight as u32).sum();
            let random = match case % 3 {
                0 => 0,
                1 => u32::MAX,
                _ => random(),
            };
            let threshold = (u64::from(random) * u64::from(total)) >> 32;
            let sum_to = |end: usize| weights[..end].iter().map(|&weight| weight as u64).sum::<u64>();
            let expected = (0..weights.len()).find(|&index| threshold < sum_to(index + 1)).unwrap_or(0);
            assert_eq!(usize::from(pick(&weights, total, random)), expected, "{weights:?}, {random}");
        }
    }
}
