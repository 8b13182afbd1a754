/// Largest absolute error of [`tanh`], found by trying every `f32` (`cargo test -p runtime --release -- --ignored`).
pub const TANH_MAX_ERROR: f32 = 4.5e-7;

/// Value beyond which tanh rounds to 1 in single precision.
const LIMIT: f32 = 9.01;

/// Coefficients of numerator and denominator, lowest power first: the weighted-minimax fit of `tanh(x) / x` as a
/// quotient of polynomials in x² on [0, 9.01] (iterated least squares on Chebyshev nodes, relative error 6e-8 before
/// rounding).
const P: [f32; 6] = [0.999_999_94, 0.129_185_97, 0.002_920_084_4, 9.261_256e-6, -1.276_207_7e-8, 1.820_871e-11];
const Q: [f32; 4] = [1.0, 0.462_518_8, 0.023_760_393, 0.000_228_006_65];

/// Returns the hyperbolic tangent, `x P(x²) / Q(x²)`: odd, in [-1, 1], off by at most [`TANH_MAX_ERROR`].
///
/// micromath has no tanh, and a tanh from its `exp` is off by 1.1e-3, which changes logits visibly. This one costs one
/// division and ten multiply-adds. The result for NaN is in [-1, 1]; weights that were checked on load never make NaN.
///
/// ```
/// assert!((runtime::math::tanh(0.5) - 0.46211716).abs() < runtime::math::TANH_MAX_ERROR);
/// assert_eq!(runtime::math::tanh(50.0), 1.0);
/// ```
#[inline]
pub fn tanh(x: f32) -> f32 {
    // Comparisons, because `f32::max` and `min` are library calls on an FPU older than FPv5. NaN becomes -LIMIT.
    let x = if x > LIMIT {
        LIMIT
    } else if x > -LIMIT {
        x
    } else {
        -LIMIT
    };
    let z = x * x;
    let p = ((((P[5] * z + P[4]) * z + P[3]) * z + P[2]) * z + P[1]) * z + P[0];
    let q = ((Q[3] * z + Q[2]) * z + Q[1]) * z + Q[0];
    (x * p / q).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// Returns the largest error over every `stride`-th f32 from 0 to infinity. The function is odd by construction.
    fn sweep(stride: usize) -> f64 {
        let mut worst = 0.0_f64;
        for bits in (0..=f32::INFINITY.to_bits()).step_by(stride) {
            let x = f32::from_bits(bits);
            let y = tanh(x);
            assert_eq!(y.to_bits(), (-tanh(-x)).to_bits(), "not odd at {x:e}");
            assert!((0.0..=1.0).contains(&y), "tanh({x:e}) = {y}");
            worst = worst.max((f64::from(y) - f64::from(x).tanh()).abs());
        }
        worst
    }

    #[test]
    fn error_is_within_the_bound() {
        let worst = sweep(1_009);
        assert!(worst <= f64::from(TANH_MAX_ERROR), "error {worst:e}");
        assert!(worst >= 0.5 * f64::from(TANH_MAX_ERROR), "the bound is slack: error {worst:e}");
        assert!(tanh(f32::NAN).abs() <= 1.0);
    }

    #[test]
    #[ignore = "every f32: half a minute in release, many in debug"]
    fn error_is_within_the_bound_for_every_f32() {
        let worst = sweep(1);
        assert!(worst <= f64::from(TANH_MAX_ERROR), "error {worst:e}");
    }
}
