//! What the lecture looks at while a network trains: how full the outputs of a level are, and how large gradients and updates are.

use tch::nn::VarStore;
use tch::{Kind, Tensor};

/// Beyond this a tanh hardly lets a gradient through, and a gated unit, which is smaller, even less.
pub const SATURATED: f64 = 0.97;

/// The outputs of one level over one batch.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Activations {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// Share beyond [`SATURATED`].
    pub saturated: f64,
}

impl Activations {
    /// Of a level's output.
    pub fn of(output: &Tensor) -> Self {
        tch::no_grad(|| Self {
            mean: output.mean(Kind::Float).double_value(&[]),
            std: output.std(false).double_value(&[]),
            saturated: output.abs().gt(SATURATED).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]),
        })
    }
}

/// One weight matrix at one step.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct WeightStatistics {
    /// Its name in the network.
    pub name: String,
    /// Standard deviation of its gradient over that of its values.
    pub gradient_to_data: f64,
    /// The same of the step taken, as a power of ten. The lecture would have it near -3.
    pub log10_update_to_data: f64,
}

/// The weight matrices before a step.
pub struct Before(Vec<(String, Tensor, Tensor)>);

impl Before {
    /// Takes copies of the matrices, vectors being too small to have a telling spread.
    pub fn of(store: &VarStore) -> Self {
        let matrices = store.variables().into_iter().filter(|(_, value)| value.requires_grad() && value.dim() == 2);
        let mut copies: Vec<_> =
            matrices.map(|(name, value)| (name, value.detach().copy(), value.shallow_clone())).collect();
        copies.sort_by(|a, b| a.0.cmp(&b.0));
        Self(copies)
    }

    /// Compares with what the matrices are now.
    pub fn compare(&self) -> Vec<WeightStatistics> {
        let std = |tensor: &Tensor| tensor.std(false).double_value(&[]);
        let each = |(name, before, now): &(String, Tensor, Tensor)| {
            let spread = std(before);
            WeightStatistics {
                name: name.clone(),
                gradient_to_data: std(&now.grad()) / spread,
                // A weight that did not move is off any scale; JSON has no infinity.
                log10_update_to_data: (std(&(now - before)) / spread).log10().max(-12.0),
            }
        };
        tch::no_grad(|| self.0.iter().map(each).collect())
    }
}
