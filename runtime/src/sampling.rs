//! From logits to a character: temperature, top-k, greedy.
//!
//! One implementation per kind of logits: [`float`] for f32, [`fixed`] in integers alone. Both take one `next_u32` per
//! draw, so that the same seed gives the same words on every machine.

use rand_core::Rng;

#[cfg(all(kernel = "mve", feature = "vector128", not(feature = "std")))]
use crate::kernels::vector128::{pick, weigh};
use crate::model::LogitsMut;
use crate::vocab::Token;

#[cfg(feature = "int8")]
pub mod fixed;
#[cfg(all(feature = "int8", feature = "std"))]
use fixed::pick;
#[cfg(all(feature = "int8", not(feature = "std"), not(all(kernel = "mve", feature = "vector128"))))]
use fixed::{pick, weigh};
#[cfg(feature = "f32")]
pub mod float;

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

    /// Draws a token from `softmax(logits / temperature)`, restricted to the `top_k` largest. Overwrites the logits.
    ///
    /// One `next_u32` is taken from `rng`, none when greedy. [`crate::BOUNDARY`] for no logits.
    pub(crate) fn draw(&self, logits: LogitsMut<'_>, rng: &mut impl Rng) -> Token {
        match logits {
            #[cfg(feature = "f32")]
            LogitsMut::F32(logits) => match self.temperature_milli {
                0 => argmax(logits, f32::NEG_INFINITY),
                _ => {
                    keep_top_k(logits, self.top_k.into(), f32::NEG_INFINITY);
                    let total = float::weigh(logits, self.temperature_milli);
                    float::pick(logits, total, rng.next_u32())
                }
            },
            #[cfg(feature = "int8")]
            LogitsMut::Fixed(logits) => match self.temperature_milli {
                0 => argmax(logits, i32::MIN),
                _ => {
                    keep_top_k(logits, self.top_k.into(), i32::MIN);
                    let total = weigh(logits, self.temperature_milli);
                    pick(logits, total, rng.next_u32())
                }
            },
        }
    }
}

/// [`fixed::weigh`] by the vector unit of this machine.
#[cfg(all(feature = "int8", feature = "std"))]
#[inline]
fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    crate::kernels::host::VectorUnit::best().weigh(logits, temperature_milli)
}

/// Index of the largest logit, the lowest among equals. At most 256 logits (see `config`), so that it fits.
fn argmax<T: PartialOrd + Copy>(logits: &[T], mut largest: T) -> Token {
    let mut best = 0;
    for (index, &logit) in logits.iter().enumerate() {
        if logit > largest {
            largest = logit;
            best = index;
        }
    }
    best as Token
}

/// Sets all but the `k` largest logits to `lowest`; none for 0.
///
/// Finds the next smaller one `k` times, which needs no second buffer: for the small `k` that are of use, as fast as
/// anything.
fn keep_top_k<T: PartialOrd + Copy>(logits: &mut [T], k: usize, lowest: T) {
    if k == 0 || k >= logits.len() {
        return;
    }
    // The last one kept; the order is descending by value, then ascending by index.
    let mut kept: Option<(T, usize)> = None;
    let is_behind = |kept: Option<(T, usize)>, logit: T, index: usize| {
        kept.is_none_or(|(value, at)| logit < value || (logit == value && index > at))
    };
    for _ in 0..k {
        let mut next = (lowest, usize::MAX);
        for (index, &logit) in logits.iter().enumerate() {
            if logit > next.0 && is_behind(kept, logit, index) {
                next = (logit, index);
            }
        }
        kept = Some(next);
    }
    for (index, logit) in logits.iter_mut().enumerate() {
        if is_behind(kept, *logit, index) {
            *logit = lowest;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// Few different values, so that there are equals in every case; at both ends of what top-k keeps.
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
            // A stable sort: equals stay in the order of their indices.
            order.sort_by_key(|&index| -logits[index]);
            assert_eq!(usize::from(argmax(&logits, i32::MIN)), order.first().copied().unwrap_or(0), "{logits:?}");
            for k in 0..=logits.len() + 1 {
                let is_kept = |index| k == 0 || order.iter().take(k).any(|&kept| kept == index);
                let expected: Vec<i32> =
                    (0..logits.len()).map(|at| if is_kept(at) { logits[at] } else { i32::MIN }).collect();
                let mut kept = logits.clone();
                keep_top_k(&mut kept, k, i32::MIN);
                assert_eq!(kept, expected, "{k} of {logits:?}");
            }
        }
    }
}
