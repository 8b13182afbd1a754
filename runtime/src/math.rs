//! Elementary functions, each with a proven bound and the same bits on every machine.
//!
//! The f32 functions use only IEEE 754 single-precision addition, multiplication, division and comparisons, in a fixed
//! order and without fused multiply-add. So a host, an emulator, an FPU and a soft-float library agree bit by bit. The
//! integer path has its own functions, in `fixed`.

#[cfg(feature = "f32")]
mod exp;
#[cfg(feature = "int8")]
pub mod fixed;
#[cfg(feature = "f32")]
mod gate;
#[cfg(feature = "f32")]
mod tanh;

#[cfg(feature = "f32")]
pub use exp::{EXP_MAX_RELATIVE_ERROR, exp_fast};
#[cfg(feature = "f32")]
pub use gate::gate;
#[cfg(feature = "f32")]
pub use tanh::{TANH_MAX_ERROR, tanh};

/// Returns the natural logarithm of the sum of the exponentials of `logits`, from libm's `expf` and `logf`.
///
/// The largest logit is subtracted first, so that nothing overflows. The error is below 1e-6, plus one rounding of the
/// sum per logit, plus one rounding of the result (2^-24 of its magnitude). Without logits, the result is negative
/// infinity.
#[cfg(feature = "f32")]
pub fn log_sum_exp(logits: &[f32]) -> f32 {
    let max = max(logits);
    let sum: f32 = logits.iter().map(|&logit| libm::expf(logit - max)).sum();
    max + libm::logf(sum)
}

/// Returns the largest value, or negative infinity if there is none. Ignores NaN.
#[cfg(feature = "f32")]
pub(crate) fn max(values: &[f32]) -> f32 {
    // A comparison, because `f32::max` is a library call on an FPU older than FPv5.
    values.iter().fold(f32::NEG_INFINITY, |max, &value| if value > max { value } else { max })
}
