//! Sampling of a character from logits: temperature, top-k, greedy.
//!
//! There is one implementation per kind of logits: `float` for f32, `kernels::routine::softmax` for integers. Both take
//! one `next_u32` per draw, so the same seed draws the same words on every machine.

use rand_core::Rng;

use crate::vocab::Token;

#[cfg(feature = "int8")]
mod fixed;
#[cfg(feature = "f32")]
pub mod float;

/// Logit from which characters can be drawn.
pub(crate) trait Logit: Copy + PartialOrd {
    /// Sum of weights.
    type Total;
    /// Logit whose weight is zero.
    const LOWEST: Self;

    /// Replaces logits by weights proportional to their probabilities, and returns the sum of the weights.
    fn weigh(logits: &mut [Self], temperature_milli: u16) -> Self::Total;

    /// Returns the token whose share of the weights, laid end to end, contains `random / 2^32` of their sum.
    fn pick(weights: &[Self], total: Self::Total, random: u32) -> Token;

    /// Returns the negative log-likelihood of one of the logits, in millionths of a nat.
    fn nll_micronats(logits: &[Self], logit: Self) -> u32;
}

/// Settings for drawing the next character.
///
/// ```
/// use runtime::Sampling;
/// let cautious = Sampling::default().temperature_milli(700).top_k(5);
/// let greedy = Sampling::greedy();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sampling {
    temperature_milli: u16,
    top_k: u16,
}

impl Default for Sampling {
    /// Returns temperature 1 and all characters: the distribution that the model learned.
    fn default() -> Self {
        Self { temperature_milli: 1000, top_k: 0 }
    }
}

impl Sampling {
    /// Returns settings that always take the most probable character.
    pub const fn greedy() -> Self {
        Self { temperature_milli: 0, top_k: 0 }
    }

    /// Sets the temperature in thousandths. Below 1000 more probable characters are favoured, above it less probable
    /// ones; 0 is greedy.
    ///
    /// An integer, so that a chip without an FPU can read it from a console.
    #[must_use]
    pub const fn temperature_milli(self, temperature_milli: u16) -> Self {
        Self { temperature_milli, ..self }
    }

    /// Sets the number of most probable characters to draw from; 0 for all. Among equally probable characters, the
    /// lower token counts as the more probable.
    #[must_use]
    pub const fn top_k(self, top_k: u16) -> Self {
        Self { top_k, ..self }
    }

    /// Draws a token from `softmax(logits / temperature)`, restricted to the `top_k` largest logits. Overwrites the
    /// logits.
    ///
    /// Takes one `next_u32` from `rng`, or none if greedy. Returns [`crate::BOUNDARY`] if there are no logits.
    #[inline]
    pub(crate) fn draw<L: Logit>(&self, logits: &mut [L], rng: &mut impl Rng) -> Token {
        // Greedy draws from the most probable character only, so any random number selects it.
        let (k, random) = if self.temperature_milli == 0 { (1, 0) } else { (self.top_k, rng.next_u32()) };
        keep_top_k(logits, k, L::LOWEST);
        let total = L::weigh(logits, self.temperature_milli);
        L::pick(logits, total, random)
    }
}

/// Sets all logits except the `k` largest to `lowest`. If `k` is 0, changes nothing. Among equals, the earlier logit
/// counts as larger.
///
/// For each logit, searches for `k` larger ones, which needs no second buffer. For the small `k` in use that is as fast
/// as any other way, because a logit far below the largest soon finds them. The search covers logits not yet examined
/// and logits kept. That is enough: a dropped logit has `k` logits above it, and so has every smaller one.
#[inline]
fn keep_top_k<T: PartialOrd + Copy>(logits: &mut [T], k: u16, lowest: T) {
    if k == 0 || usize::from(k) >= logits.len() {
        return;
    }
    for index in 0..logits.len() {
        let (logit, mut left) = (logits[index], k);
        for (at, &other) in logits.iter().enumerate() {
            if other > logit || (other == logit && at < index) {
                left -= 1;
                if left == 0 {
                    logits[index] = lowest;
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// Few different values, so that every case has equals, also at both ends of the logits that top-k keeps.
    #[test]
    fn the_largest_are_kept_and_the_first_among_equals() {
        let mut seed = 1_u32;
        for case in 0..5_000 {
            let logits: Vec<i32> = (0..case % 12)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 29) as i32 - 4
                })
                .collect();
            let mut order: Vec<usize> = (0..logits.len()).collect();
            // A stable sort: equals remain in the order of their indices.
            order.sort_by_key(|&index| -logits[index]);
            for k in 0..=logits.len() + 1 {
                let is_kept = |index| k == 0 || order.iter().take(k).any(|&kept| kept == index);
                let expected: Vec<i32> =
                    (0..logits.len()).map(|at| if is_kept(at) { logits[at] } else { i32::MIN }).collect();
                let mut kept = logits.clone();
                keep_top_k(&mut kept, k as u16, i32::MIN);
                assert_eq!(kept, expected, "{k} of {logits:?}");
            }
        }
    }
}
