//! Draws from f32 logits.

use super::Logit;
use crate::math::{exp_fast, log_sum_exp, max};
use crate::vocab::Token;

/// Replaces logits by weights proportional to their probabilities, and returns the sum of the weights.
///
/// Each probability is off by at most [`crate::math::EXP_MAX_RELATIVE_ERROR`] relative.
pub fn weigh(logits: &mut [f32], temperature_milli: u16) -> f32 {
    let inverse_temperature = 1000.0 / f32::from(temperature_milli.max(1));
    let largest = max(logits);
    let mut total = 0.0;
    for logit in logits {
        *logit = exp_fast((*logit - largest) * inverse_temperature);
        total += *logit;
    }
    total
}

/// Returns the token whose share of the weights, laid end to end, contains `random / 2^32` of their sum.
pub fn pick(weights: &[f32], total: f32, random: u32) -> Token {
    // 24 bits are exact in an f32: uniform in [0, 1).
    let threshold = (random >> 8) as f32 * (1.0 / 16_777_216.0) * total;
    let mut cumulative = 0.0;
    let mut last = 0;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            cumulative += weight;
            last = index;
            if threshold < cumulative {
                break;
            }
        }
    }
    // No truncation: there are at most 256 weights (see `config`). `threshold` may round up to the total; then this is
    // the last token with any weight.
    last as Token
}

impl Logit for f32 {
    type Total = f32;
    const LOWEST: Self = f32::NEG_INFINITY;

    #[inline]
    fn weigh(logits: &mut [Self], temperature_milli: u16) -> f32 {
        weigh(logits, temperature_milli)
    }

    #[inline]
    fn pick(weights: &[Self], total: f32, random: u32) -> Token {
        pick(weights, total, random)
    }

    #[inline]
    fn nll_micronats(logits: &[Self], logit: Self) -> u32 {
        // Adding a half and truncating rounds; the cast saturates.
        ((log_sum_exp(logits) - logit) * 1e6 + 0.5) as u32
    }
}
