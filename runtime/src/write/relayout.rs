use alloc::vec::Vec;

use super::encode::encode_promising;
use super::{EncodeError, Layers};
use crate::error::FormatError;
use crate::format::{AlignedBlob, Header, Layout, WeightFormat};
use crate::layers::IntegerLayer;
use crate::model::Model;

/// Returns the blob of an integer model with its weights in another layout.
///
/// Nothing else changes: the logits are the same, bit by bit, and so are the bytes that an export in that layout would
/// write.
///
/// # Errors
/// [`EncodeError::NotInteger`] for a model or a layout in f32; [`FormatError::BadDimension`] if a layer is too wide for
/// the layout.
pub fn relayout(model: &Model<'_>, layout: Layout) -> Result<Vec<u8>, EncodeError> {
    if !layout.is_integer() {
        return Err(EncodeError::NotInteger);
    }
    let (embedding, layers) = model.unpack().ok_or(EncodeError::NotInteger)?;
    write(model, layout, embedding, &layers)
}

/// Returns the blob of an integer model whose level 0 is stored as its output for every pair of characters
/// ([`WeightFormat::Pairs`]).
///
/// The logits are the same, bit by bit, and level 0 is no longer computed. The pairs take `vocab_size^2` times the
/// level's width in bytes. There is no way back.
///
/// # Errors
/// [`EncodeError::NotInteger`] for a model in f32; [`EncodeError::NotPairs`] if its level 0 fuses more than two
/// characters.
pub fn tabulate_pairs(model: &Model<'_>) -> Result<Vec<u8>, EncodeError> {
    let (_, mut layers) = model.unpack().ok_or(EncodeError::NotInteger)?;
    let weights = model.integer_pairs().ok_or(EncodeError::NotPairs)?;
    if let Some(first) = layers.first_mut() {
        *first = IntegerLayer { format: WeightFormat::Pairs, bias: Vec::new(), multiplier: Vec::new(), weights };
    }
    write(model, model.layout(), &[], &layers)
}

fn write(model: &Model<'_>, layout: Layout, embedding: &[i8], layers: &[IntegerLayer]) -> Result<Vec<u8>, EncodeError> {
    let header = Header {
        precision: model.precision(),
        layout,
        activation: model.config().activation(),
        n_embd: u16::try_from(model.config().n_embd()).map_err(|_| FormatError::BadHeader)?,
        levels: heapless::Vec::from_slice(model.config().levels()).map_err(|_| FormatError::BadHeader)?,
        skip: model.config().skip(),
        weights: heapless::Vec::new(),
        golden_len: 0,
        golden_crc32: 0,
        vocab: model.vocab().as_str(),
        provenance: model.provenance(),
    };
    // Copies the checksum of the golden text instead of computing it: a model that fails its self-test must still fail
    // after this.
    let layers = Layers::Integer { embedding, layers };
    let blob = encode_promising(&header, &layers, model.golden(), model.golden_crc32())?;
    Model::new(AlignedBlob::from(blob.as_slice()).as_bytes())?;
    Ok(blob)
}
