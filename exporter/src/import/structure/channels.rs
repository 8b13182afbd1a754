//! Last pass: the lengths of biases and BatchNorms.

use super::Layer;
use super::modules::vector;
use crate::import::{ImportError, StateDict};

/// Fails if a bias or BatchNorm does not have one value per row of its layer.
pub(super) fn check_channels(state: &StateDict, layers: &[Layer]) -> Result<(), ImportError> {
    let mut positions: usize = layers.iter().map(|layer| layer.fuse).fold(1, usize::saturating_mul);
    let halves = layers.iter().flat_map(|layer| layer.halves().map(move |half| (half, std::ptr::eq(half, layer))));
    for (layer, is_first) in halves {
        if is_first {
            positions /= layer.fuse;
        }
        let norm = layer.batch_norm.iter();
        let norm =
            norm.flat_map(|norm| [Some(&norm.mean), Some(&norm.spread), norm.gamma.as_ref(), norm.beta.as_ref()]);
        for (tensor, of_norm) in
            layer.bias.iter().map(|bias| (bias, false)).chain(norm.flatten().map(|tensor| (tensor, true)))
        {
            let found = vector(state, tensor)?;
            if found == layer.fan_out {
                continue;
            }
            let tensor = tensor.clone();
            // PyTorch's BatchNorm1d reads (B, T, C) with the positions T as the channels.
            return Err(if of_norm && found == positions && positions > 1 {
                ImportError::PerPosition { found: state.tensors[&tensor].shape.clone(), tensor }
            } else {
                ImportError::Channels { tensor, found, layer: layer.weight.clone(), expected: layer.fan_out }
            });
        }
    }
    Ok(())
}
