//! Statistics of a training step that the lecture plots: saturation of the levels' outputs, and sizes of gradients and
//! updates.

use tch::nn::VarStore;
use tch::{Kind, Tensor};

/// Magnitude beyond which tanh passes hardly any gradient, and a gated unit, whose outputs are smaller, even less.
pub const SATURATED: f64 = 0.97;

/// Outputs of one level over one batch.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Activations {
    /// Mean of the outputs.
    pub mean: f64,
    /// Standard deviation of the outputs.
    pub std: f64,
    /// Share of the outputs beyond [`SATURATED`], 0 to 1.
    pub saturated: f64,
}

impl Activations {
    /// Computes the statistics of a level's output.
    pub fn of(output: &Tensor) -> Self {
        tch::no_grad(|| Self {
            mean: output.mean(Kind::Float).double_value(&[]),
            std: output.std(false).double_value(&[]),
            saturated: output.abs().gt(SATURATED).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]),
        })
    }
}

/// Gradient and update of one weight matrix at one step.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WeightStatistics {
    /// Name of the matrix in the network.
    pub name: String,
    /// Standard deviation of the gradient, divided by that of the weights.
    pub gradient_to_data: f64,
    /// Base-10 logarithm of the standard deviation of the update, divided by that of the weights. The lecture
    /// recommends about -3.
    pub log10_update_to_data: f64,
}

/// Copies of the weight matrices before a step.
pub struct Before(Vec<(String, Tensor, Tensor)>);

impl Before {
    /// Copies the matrices. Vectors are left out: they are too small for a meaningful standard deviation.
    pub fn of(store: &VarStore) -> Self {
        let matrices = store.variables().into_iter().filter(|(_, value)| value.requires_grad() && value.dim() == 2);
        let mut copies: Vec<_> =
            matrices.map(|(name, value)| (name, value.detach().copy(), value.shallow_clone())).collect();
        copies.sort_by(|a, b| a.0.cmp(&b.0));
        Self(copies)
    }

    /// Compares the matrices with their values after the step.
    pub fn compare(&self) -> Vec<WeightStatistics> {
        let std = |tensor: &Tensor| tensor.std(false).double_value(&[]);
        let each = |(name, before, now): &(String, Tensor, Tensor)| {
            let spread = std(before);
            WeightStatistics {
                name: name.clone(),
                gradient_to_data: std(&now.grad()) / spread,
                // Limits the logarithm for weights that did not change: JSON has no infinity.
                log10_update_to_data: (std(&(now - before)) / spread).log10().max(-12.0),
            }
        };
        tch::no_grad(|| self.0.iter().map(each).collect())
    }
}
