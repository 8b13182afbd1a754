//! From logits to a character: temperature, top-k, greedy.

use rand_core::Rng;

use crate::math::{exp_fast, max};
use crate::vocab::Token;

/// How the next character is drawn.
///
/// ```
/// use runtime::Sampling;
/// let cautious = Sampling::default().temperature_milli(700).top_k(5);
/// let greedy = Sampling::greedy();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    temperature_milli: u16,
    top_k: u16,
}

impl Default for Sampling {
    /// Temperature 1, all characters: the distribution that was learned.
    fn default() -> Self {
        Self { temperature_milli: 1000, top_k: 0 }
    }
}

impl Sampling {
    /// Always the most probable character.
    pub const fn greedy() -> Self {
        Self { temperature_milli: 0, top_k: 0 }
    }

    /// The temperature in thousandths: below 1000 more probable characters are favoured, above it less probable ones; 0 is
    /// greedy. An integer, so that a chip without an FPU can take it from a console.
    #[must_use]
    pub const fn temperature_milli(self, temperature_milli: u16) -> Self {
        Self { temperature_milli, ..self }
    }

    /// Only the `top_k` most probable characters are drawn from; 0 for all of them. Among equals the lower index counts as
    /// the more probable.
    #[must_use]
    pub const fn top_k(self, top_k: u16) -> Self {
        Self { top_k, ..self }
    }

    /// Draws a token from `softmax(logits / temperature)`, restricted to the `top_k` largest. Overwrites `logits`.
    ///
    /// One `next_u32` is taken from `rng`, none when greedy; the probability of each token is off by at most
    /// [`crate::math::EXP_MAX_RELATIVE_ERROR`] relative, plus 2^-24. [`crate::BOUNDARY`] for no logits.
    pub fn draw(&self, logits: &mut [f32], rng: &mut impl Rng) -> Token {
        if self.temperature_milli == 0 {
            return argmax(logits);
        }
        if self.top_k != 0 {
            keep_top_k(logits, self.top_k.into());
        }
        let total = self.weigh(logits);
        // 24 bits are exact in an f32: uniform in [0, 1).
        pick(logits, (rng.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0) * total)
    }

    /// Replaces logits by weights proportional to their probabilities; gives the sum of them.
    fn weigh(&self, logits: &mut [f32]) -> f32 {
        let inverse_temperature = 1000.0 / f32::from(self.temperature_milli);
        let largest = max(logits);
        let mut total = 0.0;
        for logit in logits {
            *logit = exp_fast((*logit - largest) * inverse_temperature);
            total += *logit;
        }
        total
    }
}

/// The token whose share of the weights, laid end to end, holds `threshold`.
fn pick(weights: &[f32], threshold: f32) -> Token {
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
    // At most 256 weights (see `config`), so that the index fits. `threshold` may round up to the total: then it is the
    // last token that has any weight.
    last as Token
}

/// Index of the largest logit, the lowest among equals.
fn argmax(logits: &[f32]) -> Token {
    let mut best = 0;
    let mut largest = f32::NEG_INFINITY;
    for (index, &logit) in logits.iter().enumerate() {
        if logit > largest {
            largest = logit;
            best = index;
        }
    }
    best as Token
}

/// Sets all but the `k` largest logits to negative infinity.
///
/// Finds the next smaller one `k` times, which needs no second buffer: for the small `k` that are of use, as fast as
/// anything.
fn keep_top_k(logits: &mut [f32], k: usize) {
    if k >= logits.len() {
        return;
    }
    // (value, index) of the last one kept; the order is descending by value, then ascending by index.
    let mut kept = (f32::INFINITY, 0);
    let mut first = true;
    for _ in 0..k {
        let mut next = (f32::NEG_INFINITY, usize::MAX);
        for (index, &logit) in logits.iter().enumerate() {
            let after_kept = first || logit < kept.0 || (logit == kept.0 && index > kept.1);
            if after_kept && logit > next.0 {
                next = (logit, index);
            }
        }
        kept = next;
        first = false;
    }
    for (index, logit) in logits.iter_mut().enumerate() {
        if *logit < kept.0 || (*logit == kept.0 && index > kept.1) {
            *logit = f32::NEG_INFINITY;
        }
    }
}
