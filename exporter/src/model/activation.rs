//! What the exporter knows about an activation, its functions in libtorch excepted: those are in
//! [`forward`](super::forward), so that the fuzzers read models without libtorch.
//!
//! The first weights have no gain: a BatchNorm is in front of every activation and takes any factor out again.

use ndarray::{Array1, Array2, s};
use runtime::Activation;
use runtime::quant::{ACTIVATION_MAX, PRE_ACTIVATION_FRACTION_BITS};

/// An activation of 1 in the units of activations.
pub(super) const ONE: f64 = ACTIVATION_MAX as f64;

/// Returns the name of the block in the lecture and in PyTorch.
pub const fn block_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Tanh => "Tanh",
        Activation::Gated => "Gated",
        Activation::Relu => "ReLU",
    }
}

/// Returns whether all outputs are within -1 and 1, whatever the input.
///
/// The levels of an unbounded activation are scaled to about 1: see [`crate::model::normalize`].
pub const fn is_bounded(activation: Activation) -> bool {
    match activation {
        Activation::Tanh | Activation::Gated => true,
        Activation::Relu => false,
    }
}

/// Returns how many units a pre-activation of 1 has in integers.
pub const fn pre_activation_units(activation: Activation) -> f64 {
    match activation {
        Activation::Tanh | Activation::Gated => (1_u32 << PRE_ACTIVATION_FRACTION_BITS) as f64,
        Activation::Relu => ONE,
    }
}

/// Returns the name of the term that counts the activation of a row in single precision in [`crate::measure::costs`].
pub const fn cost_term(activation: Activation) -> &'static str {
    match activation {
        Activation::Tanh | Activation::Gated => "tanh",
        // Not counted: a maximum takes next to nothing.
        Activation::Relu => "relu",
    }
}

/// Returns whether two rows become one value by a gate, which takes time of its own in [`crate::measure::costs`].
pub const fn is_gated(activation: Activation) -> bool {
    match activation {
        Activation::Tanh | Activation::Relu => false,
        Activation::Gated => true,
    }
}

/// Changes the rows of a level for [`forward_folded`](super::forward::forward_folded), as the runtime computes them.
/// Exact.
///
/// For gated units the second half of the rows, the gates, is halved: `sigmoid(b) = (1 + tanh(b / 2)) / 2`, so that the
/// runtime takes `tanh` of all rows.
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
