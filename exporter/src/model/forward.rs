//! Activations in libtorch: in training, folded, and in integer units.
//!
//! A test compares [`forward_units`] with the runtime's integer curve, [`Activation::curve`], for every activation.

use runtime::Activation;
use tch::Tensor;

use crate::model::activation::{ONE, pre_activation_units};

/// Computes the output of a level in training, `(..., rows) -> (..., width)`.
pub fn forward(activation: Activation, rows: &Tensor) -> Tensor {
    match activation {
        Activation::Tanh => rows.tanh(),
        Activation::Gated => {
            let halves = rows.chunk(2, -1);
            halves[0].tanh() * halves[1].sigmoid()
        }
        Activation::Relu => rows.relu(),
    }
}

/// Computes the output of a folded level, `(..., rows) -> (..., width)`.
pub fn forward_folded(activation: Activation, rows: &Tensor) -> Tensor {
    match activation {
        Activation::Tanh => rows.tanh(),
        Activation::Gated => {
            let halves = rows.tanh().chunk(2, -1);
            &halves[0] * (&halves[1] + 1.0) * 0.5
        }
        Activation::Relu => rows.relu(),
    }
}

/// Computes the output of a level in units of 1/127 from its integer pre-activations, `(..., rows) -> (..., width)`.
///
/// `round` rounds as the runtime does; in fine-tuning, gradients pass through it. For whole numbers the results equal
/// those of the runtime, since no value is half-way between two integers.
pub fn forward_units(activation: Activation, pre_activation: &Tensor, round: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let tanh = || round(&((pre_activation / pre_activation_units(activation)).tanh() * ONE));
    match activation {
        Activation::Tanh => tanh(),
        Activation::Gated => {
            let halves = tanh().chunk(2, -1);
            // The same formula as in `runtime::quant::gate`.
            round(&(&halves[0] * (&halves[1] + ONE) * (258.0 / 65_536.0)))
        }
        Activation::Relu => pre_activation.clamp(0.0, ONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};
    use tch::{Device, Kind};

    use crate::model::activation::{fold, is_bounded};
    use crate::model::arrays::from_matrix;

    /// Computes one output from its rows with the runtime's own curve and gate.
    fn by_the_runtime(activation: Activation, rows: &[i32]) -> f64 {
        let curve = activation.curve();
        match *rows {
            [row] => curve.at(row).into(),
            [value, gate] => runtime::quant::gate(curve.at(value), curve.at(gate)).into(),
            _ => unreachable!("one or two rows"),
        }
    }

    #[test]
    fn units_are_the_runtimes() {
        let all: Vec<i32> = (-300..=300).collect();
        for &activation in Activation::ALL {
            let gates: Vec<i32> =
                if activation.rows_per_value() == 2 { (-300..=300).step_by(7).collect() } else { vec![0] };
            for (kind, gate) in [Kind::Double, Kind::Float].into_iter().flat_map(|k| gates.iter().map(move |&g| (k, g)))
            {
                let rows = |value: i32| [value, gate][..activation.rows_per_value()].to_vec();
                // The columns are all values, then all gates.
                let columns =
                    (0..activation.rows_per_value()).flat_map(|row| all.iter().map(move |&value| rows(value)[row]));
                let given = Tensor::from_slice(&columns.map(f64::from).collect::<Vec<_>>()).to_kind(kind);
                let units = forward_units(activation, &given, Tensor::round).to_kind(Kind::Double);
                let expected: Vec<f64> = all.iter().map(|&value| by_the_runtime(activation, &rows(value))).collect();
                assert_eq!(Vec::<f64>::try_from(units).unwrap(), expected, "{activation:?}, {kind:?}, gate {gate}");
            }
        }
    }

    #[test]
    fn folded_rows_compute_what_was_trained() {
        for &activation in Activation::ALL {
            let rows = Tensor::randn([50, 6], (Kind::Float, Device::Cpu));
            let (mut weight, mut bias) = (Array2::eye(6), Array1::zeros(6));
            fold(activation, &mut weight, &mut bias);
            let folded = rows.matmul(&from_matrix(&weight).tr());
            let difference = forward_folded(activation, &folded) - forward(activation, &rows);
            assert!(difference.abs().max().double_value(&[]) < 1e-6, "{activation:?}");
        }
    }

    #[test]
    fn unbounded_activations_can_be_scaled() {
        let rows = Tensor::randn([50, 6], (Kind::Double, Device::Cpu));
        for &activation in Activation::ALL.iter().filter(|&&activation| !is_bounded(activation)) {
            let difference = forward(activation, &(&rows * 2.5)) - forward(activation, &rows) * 2.5;
            assert!(difference.abs().max().double_value(&[]) < 1e-12, "{activation:?}");
        }
    }

    #[test]
    fn bounded_outputs_are_within_one() {
        for &activation in Activation::ALL {
            let far = Tensor::from_slice(&[100.0_f64, 100.0]);
            let largest = forward(activation, &far).abs().max().double_value(&[]);
            assert_eq!(largest <= 1.0, is_bounded(activation), "{activation:?}");
        }
    }
}
