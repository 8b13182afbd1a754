/// Largest relative error of [`exp_fast`] on [-80, 0], found by trying every `f32` in that range.
pub const EXP_MAX_RELATIVE_ERROR: f32 = 2.5e-3;

/// Returns `exp(x)` for `x <= 0`, only precise enough to draw from a distribution.
///
/// It is micromath's series, with a relative error of at most [`EXP_MAX_RELATIVE_ERROR`] down to -80, and 0 below (a
/// probability under 2e-35). In samples, probabilities that are off by a quarter of a percent cannot be told apart from
/// exact ones. Scores and parity checks use [`super::log_sum_exp`] instead.
#[inline]
pub fn exp_fast(x: f32) -> f32 {
    if x >= 0.0 {
        1.0
    } else if x >= -80.0 {
        // Not `x.exp()`: with std that would be the system's function, whose bits differ.
        micromath::F32(x).exp().0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn error_is_within_the_bound() {
        let mut worst = 0.0_f64;
        for bits in (0..=80.0_f32.to_bits()).step_by(499) {
            let x = -f32::from_bits(bits);
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp_fast(x)) / exact - 1.0).abs());
        }
        assert!(worst <= f64::from(EXP_MAX_RELATIVE_ERROR), "error {worst:e}");
        assert!(worst >= 0.5 * f64::from(EXP_MAX_RELATIVE_ERROR), "the bound is slack: error {worst:e}");
        assert_eq!(exp_fast(-81.0), 0.0);
        assert_eq!(exp_fast(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_fast(0.0), 1.0);
        assert_eq!(exp_fast(1.0), 1.0);
    }
}
