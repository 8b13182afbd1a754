//! Examples as tensors, and the input of the output layer, which the network in training, the folded and the quantized one share.

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
