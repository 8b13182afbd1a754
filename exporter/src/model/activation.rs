//! Properties of the activations in the exporter. Their functions in libtorch are in [`forward`](super::forward), so
//! that the fuzzers can read models without libtorch.
//!
//! Initial weights are not scaled by a gain: the BatchNorm before every activation removes any factor.

use ndarray::{Array1, Array2, s};
use runtime::Activation;
use runtime::quant::{ACTIVATION_MAX, PRE_ACTIVATION_FRACTION_BITS};

/// Number of units of an activation of 1.
pub(super) const ONE: f64 = ACTIVATION_MAX as f64;

/// Returns the module's name in the lecture and in PyTorch.
pub const fn block_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Tanh => "Tanh",
        Activation::Gated => "Gated",
        Activation::Relu => "ReLU",
    }
}

/// Returns whether all outputs are between -1 and 1 for any input.
///
/// [`crate::model::normalize`] scales the levels of an unbounded activation to about 1.
pub const fn is_bounded(activation: Activation) -> bool {
    match activation {
        Activation::Tanh | Activation::Gated => true,
        Activation::Relu => false,
    }
}

/// Returns the number of integer units of a pre-activation of 1.
pub const fn pre_activation_units(activation: Activation) -> f64 {
    match activation {
        Activation::Tanh | Activation::Gated => (1_u32 << PRE_ACTIVATION_FRACTION_BITS) as f64,
        Activation::Relu => ONE,
    }
}

/// Changes the rows of a level to the form that the runtime and [`forward_folded`](super::forward::forward_folded)
/// compute. The change is exact.
///
/// For gated units, the gates, which are the second half of the rows, are halved: `sigmoid(b) = (1 + tanh(b / 2)) / 2`,
/// so that the runtime computes `tanh` of all rows.
pub fn fold(activation: Activation, weight: &mut Array2<f32>, bias: &mut Array1<f32>) {
    match activation {
        Activation::Tanh | Activation::Relu => {}
        Activation::Gated => {
            let width = bias.len() / 2;
            weight.slice_mut(s![width.., ..]).mapv_inplace(|value| value / 2.0);
            bias.slice_mut(s![width..]).mapv_inplace(|value| value / 2.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, array, concatenate};

    #[test]
    fn only_gates_are_halved() {
        let (values, gates) = (array![[1.0_f32, 2.0]], array![[3.0, 4.0]]);
        let mut weight = concatenate(Axis(0), &[values.view(), gates.view()]).unwrap();
        let mut bias = array![5.0, 6.0];
        fold(Activation::Gated, &mut weight, &mut bias);
        assert_eq!((weight, bias), (array![[1.0, 2.0], [1.5, 2.0]], array![5.0, 3.0]));
    }
}
