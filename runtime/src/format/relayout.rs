use alloc::vec::Vec;

use super::{Header, IntegerLayer, Layers, Layout, encode};
use crate::error::FormatError;
use crate::model::Model;

/// The blob of an integer model with its weights in another layout. Nothing else changes: the same logits, bit by bit, and the
/// bytes that exporting in that layout would have given.
///
/// # Errors
/// [`FormatError::UnsupportedFormat`] for a model in single precision, or a layout that is not one of integers or was left
/// out of this build.
pub fn relayout(model: &Model<'_>, layout: Layout) -> Result<Vec<u8>, FormatError> {
    let (embedding, linears) = model.integer_layers().ok_or(FormatError::UnsupportedFormat)?;
    let layers: Vec<_> = linears.iter().map(|linear| linear.unpack()).collect();
    let header = Header {
        precision: model.precision(),
        layout,
        activation: model.config().activation(),
        n_embd: u16::try_from(model.config().n_embd()).map_err(|_| FormatError::BadHeader)?,
        levels: heapless::Vec::from_slice(model.config().levels()).map_err(|_| FormatError::BadHeader)?,
        weights: linears.iter().map(|linear| linear.format()).collect(),
        golden_len: 0,
        golden_crc32: 0,
        vocab: model.vocab().as_str(),
        provenance: model.provenance(),
    };
    let layers = layers
        .iter()
        .map(|layer| IntegerLayer { bias: &layer.bias, multiplier: &layer.multiplier, weights: &layer.weights })
        .collect();
    encode(&header, &Layers::Integer { embedding, layers }, model.golden())
}
