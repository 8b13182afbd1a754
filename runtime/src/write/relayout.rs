use alloc::vec;
use alloc::vec::Vec;

use super::encode::encode_promising;
use super::{EncodeError, Layers};
use crate::config::Level;
use crate::error::FormatError;
use crate::format::{AlignedBlob, Header, Layout, WeightFormat};
use crate::kernels::{HALF_BYTES, dot_i8, half_words};
use crate::layers::IntegerLayer;
use crate::model::Model;
use crate::quant::ACC_LIMIT;

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

/// Returns the blob of an integer model whose levels 0 and 1 are looked up: level 0 as in [`tabulate_pairs`], level 1
/// in the halves of its sums ([`WeightFormat::Halves`]).
///
/// The logits are the same, bit by bit, and no row of the two levels is multiplied. In addition to the pairs, the
/// halves take `6 vocab_size^2` bytes for each row of level 1. There is no way back.
///
/// # Errors
/// [`EncodeError::NotInteger`] for a model in f32; [`EncodeError::NotPairs`] if its level 0 fuses more than two
/// characters; [`EncodeError::NotHalves`] if it has no level 1, or one that fuses more than two pairs.
pub fn tabulate_halves(model: &Model<'_>) -> Result<Vec<u8>, EncodeError> {
    let (_, mut layers) = model.unpack().ok_or(EncodeError::NotInteger)?;
    let pairs = model.integer_pairs().ok_or(EncodeError::NotPairs)?;
    match (model.config().levels().get(1), &mut layers[..]) {
        (Some(&Level { fuse: 2, .. }), [first, second, ..]) => {
            if second.format != WeightFormat::Halves {
                *second = halves(second, &pairs, model.config().vocab_size());
            }
            let (bias, multiplier) = (Vec::new(), Vec::new());
            *first = IntegerLayer { format: WeightFormat::Pairs, bias, multiplier, weights: pairs };
        }
        _ => return Err(EncodeError::NotHalves),
    }
    write(model, model.layout(), &[], &layers)
}

/// Returns level 1 in the halves of its sums.
fn halves(layer: &IntegerLayer, pairs: &[i8], vocab_size: usize) -> IntegerLayer {
    let rows = layer.bias.len();
    let fan_in = layer.weights.len() / rows;
    let row_bytes = half_words(rows) * size_of::<u32>();
    let half_bytes = vocab_size * vocab_size * row_bytes;
    let mut bytes = vec![0; 2 * half_bytes];
    let (older, newer) = bytes.split_at_mut(half_bytes);
    for (row, (weights, &bias)) in layer.weights.chunks_exact(fan_in).zip(&layer.bias).enumerate() {
        let (older_weights, newer_weights) = weights.split_at(fan_in / 2);
        let sums = |weights: &[i8]| -> Vec<i32> {
            pairs.chunks_exact(fan_in / 2).map(|values| dot_i8(weights, values)).collect()
        };
        let (older_sums, newer_sums) = (sums(older_weights), sums(newer_weights));
        // No half is negative: the older begin at zero, and every sum plus the limit is positive.
        let least = older_sums.iter().copied().min().unwrap_or(0);
        let store = |half: &mut [i8], sums: &[i32], offset: i32| {
            for (entry, sum) in half.chunks_exact_mut(row_bytes).zip(sums) {
                let [low, middle, high, _] = (sum + offset).to_le_bytes().map(|byte| byte as i8);
                entry[row * HALF_BYTES..][..HALF_BYTES].copy_from_slice(&[low, middle, high]);
            }
        };
        store(older, &older_sums, -least);
        store(newer, &newer_sums, bias + least + ACC_LIMIT);
    }
    IntegerLayer {
        format: WeightFormat::Halves,
        bias: Vec::new(),
        multiplier: layer.multiplier.clone(),
        weights: bytes,
    }
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
