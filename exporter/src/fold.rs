//! BatchNorm into the linear layer before it.
//!
//! In eval mode BatchNorm is a fixed scale and shift per channel, and so is part of the linear layer:
//!
//! ```text
//! gamma * (W x - mean) / sqrt(var + eps) + beta  =  (scale * W) x + (beta - mean * scale),  scale = gamma / sqrt(var + eps)
//! ```

use ndarray::{Array1, Array2, Axis, s};

/// What a BatchNorm has learned and seen, one value per channel.
#[derive(Clone, Debug)]
pub struct BatchNormStats {
    /// gamma.
    pub weight: Array1<f32>,
    /// beta.
    pub bias: Array1<f32>,
    /// Mean over the training batches.
    pub running_mean: Array1<f32>,
    /// Variance over the training batches.
    pub running_var: Array1<f32>,
    /// Keeps the variance away from zero.
    pub eps: f64,
}

/// Folds `batch_norm` into `weight` `[fan_out, fan_in]`: the new weight and the bias it gets, computed in f64.
///
/// # Panics
/// If the numbers of channels differ.
pub fn fold_batch_norm(weight: &Array2<f32>, batch_norm: &BatchNormStats) -> (Array2<f32>, Array1<f32>) {
    let wide = |values: &Array1<f32>| values.mapv(f64::from);
    let scale = wide(&batch_norm.weight) / wide(&batch_norm.running_var).mapv(|var| (var + batch_norm.eps).sqrt());
    let bias = wide(&batch_norm.bias) - wide(&batch_norm.running_mean) * &scale;
    let weight = weight.mapv(f64::from) * scale.insert_axis(Axis(1));
    (weight.mapv(|value| value as f32), bias.mapv(|value| value as f32))
}

/// Halves the second half of the rows, the gates of [`runtime::Activation::Gated`], so that `tanh` is all that is left to take
/// of them: `sigmoid(b) = (1 + tanh(b / 2)) / 2`. Exact.
pub fn halve_gate(weight: &mut Array2<f32>, bias: &mut Array1<f32>) {
    let width = bias.len() / 2;
    weight.slice_mut(s![width.., ..]).mapv_inplace(|value| value / 2.0);
    bias.slice_mut(s![width..]).mapv_inplace(|value| value / 2.0);
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
        let (weight, bias) = fold_batch_norm(&array![[1.0, 2.0], [3.0, 4.0]], &BatchNormStats { eps: 1e-5, ..stats });
        // Channel 0: scale 2 / sqrt(4 + 1e-5), all but 1. Channel 1: gamma 0 leaves beta alone, whatever the variance.
        assert!((weight[[0, 0]] - 1.0).abs() < 2e-6 && (weight[[0, 1]] - 2.0).abs() < 4e-6);
        assert!((bias[0] + 2.5).abs() < 1e-5);
        assert_eq!((weight[[1, 0]], weight[[1, 1]], bias[1]), (0.0, 0.0, -1.0));
    }
}
