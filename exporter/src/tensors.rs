//! Examples as tensors, and the arithmetic without weights that the network in training, the folded and the quantized one share.

use runtime::Activation;
use runtime::quant::ACTIVATION_MAX;
use tch::{Device, Kind, Tensor};

use crate::data::Examples;

/// Contexts `[N, block_size]` and targets `[N]` of examples, both i64.
///
/// # Panics
/// If there are more than 2^63 of them.
pub fn of_examples(examples: &Examples, device: Device) -> (Tensor, Tensor) {
    let block_size = i64::try_from(examples.block_size).expect("at most 1024");
    let contexts = Tensor::from_slice(&examples.contexts).view([-1, block_size]);
    let targets = Tensor::from_slice(&examples.targets);
    (contexts.to_kind(Kind::Int64).to_device(device), targets.to_kind(Kind::Int64).to_device(device))
}

/// Input of the output layer: the newest position of the last level, or with skip connections of all levels, side by side.
///
/// The output of a level is (B, T, C), or (B, C) where there is one position.
pub fn output_input(levels: &[Tensor], skip: bool) -> Tensor {
    let newest = |x: &Tensor| if x.dim() == 3 { x.select(1, -1) } else { x.shallow_clone() };
    match levels {
        [.., last] if !skip => newest(last),
        _ => Tensor::cat(&levels.iter().map(newest).collect::<Vec<_>>(), 1),
    }
}

/// Output of a folded level, (B, T, rows) -> (B, T, width), from `tanh` of its rows.
pub fn activate(activation: Activation, tanh: Tensor) -> Tensor {
    match activation {
        Activation::Gated => {
            let halves = tanh.chunk(2, -1);
            &halves[0] * (&halves[1] + 1.0) * 0.5
        }
        _ => tanh,
    }
}

/// Output of a level, (B, T, rows) -> (B, T, width), from its rows after `tanh`; both in units of 1/127.
///
/// `round` does the rounding of [`runtime::quant::gate`]. Whole numbers stay whole and equal the runtime's: no quotient is a tie.
pub fn activate_units(activation: Activation, units: Tensor, round: impl Fn(&Tensor) -> Tensor) -> Tensor {
    match activation {
        Activation::Gated => {
            let halves = units.chunk(2, -1);
            round(&(&halves[0] * (&halves[1] + f64::from(ACTIVATION_MAX)) * (258.0 / 65_536.0)))
        }
        _ => units,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_in_units_is_the_runtimes() {
        let values: Vec<f64> = (-127..=127).map(f64::from).collect();
        for (kind, name) in [(Kind::Double, "double"), (Kind::Float, "float")] {
            for gate in -127..=127_i8 {
                let gates = vec![f64::from(gate); values.len()];
                let rows = Tensor::from_slice(&[&values[..], &gates].concat()).to_kind(kind);
                let units = activate_units(Activation::Gated, rows, Tensor::round).to_kind(Kind::Double);
                let expected: Vec<f64> =
                    (-127..=127_i8).map(|value| runtime::quant::gate(value, gate).into()).collect();
                assert_eq!(Vec::<f64>::try_from(units).unwrap(), expected, "{name}, {gate}");
            }
        }
    }

    #[test]
    fn the_gate_is_tanh_times_sigmoid() {
        let (a, b) =
            (Tensor::randn([50, 3], (Kind::Double, Device::Cpu)), Tensor::randn([50, 3], (Kind::Double, Device::Cpu)));
        let rows = Tensor::cat(&[&a, &(&b * 0.5)], 1).tanh();
        let difference = activate(Activation::Gated, rows) - a.tanh() * b.sigmoid();
        assert!(difference.abs().max().double_value(&[]) < 1e-15);
    }
}
