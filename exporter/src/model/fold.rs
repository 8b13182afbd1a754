//! Folds BatchNorm into the linear layer before it.
//!
//! In eval mode BatchNorm is a fixed scale and shift per channel, which can be part of the linear layer:
//!
//! ```text
//! gamma * (W x + b - mean) / sqrt(var + eps) + beta  =  (scale * W) x + (beta - (mean - b) * scale),
//! scale = gamma / sqrt(var + eps)
//! ```

use ndarray::{Array1, Array2, Axis};

/// Parameters and running statistics of a BatchNorm, one value per channel.
#[derive(Clone, Debug)]
pub struct BatchNormStats {
    /// gamma, the factor.
    pub weight: Array1<f64>,
    /// beta, the shift.
    pub bias: Array1<f64>,
    /// Mean over the training batches.
    pub running_mean: Array1<f64>,
    /// Variance over the training batches.
    pub running_var: Array1<f64>,
    /// Added to the variance, so that it is not zero.
    pub eps: f64,
}

/// Folds `batch_norm` into `weight` `[fan_out, fan_in]` and `bias`, in f64; returns the new weight and bias.
///
/// # Panics
/// If the numbers of channels differ.
pub fn fold_batch_norm(
    weight: &Array2<f64>,
    bias: Option<&Array1<f64>>,
    batch_norm: &BatchNormStats,
) -> (Array2<f64>, Array1<f64>) {
    let scale = &batch_norm.weight / &batch_norm.running_var.mapv(|var| (var + batch_norm.eps).sqrt());
    let mean = match bias {
        Some(bias) => &batch_norm.running_mean - bias,
        None => batch_norm.running_mean.clone(),
    };
    let bias = &batch_norm.bias - mean * &scale;
    (weight * &scale.insert_axis(Axis(1)), bias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn scales_rows_and_makes_a_bias() {
        let stats = BatchNormStats {
            weight: array![2.0, 0.0],
            bias: array![0.5, -1.0],
            running_mean: array![3.0, 100.0],
            running_var: array![4.0, 0.0],
            eps: 0.0,
        };
        let stats = BatchNormStats { eps: 1e-5, ..stats };
        let (weight, bias) = fold_batch_norm(&array![[1.0, 2.0], [3.0, 4.0]], None, &stats);
        // Channel 0: the scale is 2 / sqrt(4 + 1e-5), almost 1. Channel 1: gamma is 0, so only beta is left.
        assert!((weight[[0, 0]] - 1.0).abs() < 2e-6 && (weight[[0, 1]] - 2.0).abs() < 4e-6);
        assert!((bias[0] + 2.5).abs() < 1e-5);
        assert_eq!((weight[[1, 0]], weight[[1, 1]], bias[1]), (0.0, 0.0, -1.0));
        // The linear layer's bias is normalised too: it shifts the mean.
        let (same, shifted) = fold_batch_norm(&array![[1.0, 2.0], [3.0, 4.0]], Some(&array![3.0, 7.0]), &stats);
        assert_eq!(same, weight);
        assert_eq!((shifted[0], shifted[1]), (0.5, -1.0));
    }
}
