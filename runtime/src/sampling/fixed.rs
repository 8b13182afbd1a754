//! Draws from integer logits.

use super::Logit;
use crate::kernels::routine::softmax;
use crate::vocab::Token;

impl Logit for i32 {
    type Total = u32;
    const LOWEST: Self = i32::MIN;

    #[inline]
    fn weigh(logits: &mut [Self], temperature_milli: u16) -> u32 {
        crate::kernels::weigh(logits, temperature_milli)
    }

    #[inline]
    fn pick(weights: &[Self], total: u32, random: u32) -> Token {
        crate::kernels::pick(weights, total, random)
    }

    #[inline]
    fn nll_micronats(logits: &[Self], logit: Self) -> u32 {
        softmax::nll_micronats(logits, logit)
    }
}
