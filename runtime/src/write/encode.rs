use alloc::vec;
use alloc::vec::Vec;

use super::EncodeError;
use crate::config::{Config, LinearShape};
use crate::error::FormatError;
use crate::format::{
    AlignedBlob, Header, Layout, PREAMBLE_BYTES, Preamble, SLAB_ALIGN, WeightFormat, checksum, slab_offset,
};
use crate::kernels::layout::PackedKernel;
use crate::kernels::{half_words, rows8_index};
use crate::layers::IntegerLayer;
use crate::model::{HeapState, Model, state_words_of};
use crate::rows::padded;
use crate::vocab::{Token, Vocab};

/// Linear layer to be written: `weight` `[fan_out][fan_in]` row by row as in PyTorch, `bias` `[fan_out]`.
#[derive(Clone, Copy, Debug)]
pub struct LinearWeights<'a> {
    /// Weight matrix, row-major.
    pub weight: &'a [f32],
    /// Bias of each row.
    pub bias: &'a [f32],
}

/// Network to be written: levels from the characters up, then the output layer.
#[derive(Clone, Debug)]
pub enum Layers<'a> {
    /// Network in single precision.
    F32 {
        /// Embedding, `[vocab_size][n_embd]`.
        embedding: &'a [f32],
        /// Layers of the levels, then the output layer.
        layers: Vec<LinearWeights<'a>>,
    },
    /// Network in integers, as [`crate::quant`] defines them.
    Integer {
        /// Embedding, `[vocab_size][n_embd]`; empty if level 0 is a table.
        embedding: &'a [i8],
        /// Layers of the levels, then the output layer.
        layers: &'a [IntegerLayer],
    },
}

/// Writes a blob. The same input always makes the same bytes.
///
/// `golden` is the text on which a chip tests itself. Its length and checksum in the header, and the weight formats of
/// integers, are filled in here.
///
/// # Errors
/// [`EncodeError`] for an array whose length does not match the dimensions, or for a blob that a reader would refuse.
/// Every blob is opened before it is returned.
pub fn encode(header: &Header<'_>, layers: &Layers<'_>, golden: &[Token]) -> Result<Vec<u8>, EncodeError> {
    let draft = AlignedBlob::from(encode_promising(header, layers, golden, 0)?.as_slice());
    let model = Model::new(draft.as_bytes())?;
    let mut state = HeapState::new(&model);
    let checksum = model.golden_checksum(&mut state).expect("a heap state fits its model");
    encode_promising(header, layers, golden, checksum)
}

/// Does the same as [`encode`], with a given checksum of the golden text's logits, and does not open the blob.
pub(super) fn encode_promising(
    header: &Header<'_>,
    layers: &Layers<'_>,
    golden: &[Token],
    golden_crc32: u32,
) -> Result<Vec<u8>, EncodeError> {
    let golden_len = field("golden text", golden.len())?;
    let mut header = Header { golden_len, golden_crc32, ..header.clone() };
    if let Layers::Integer { layers, .. } = layers {
        header.weights.clear();
        for layer in *layers {
            let too_long = |_| EncodeError::TooLong { what: "weighted layers", len: layers.len() };
            header.weights.push(layer.format).map_err(too_long)?;
        }
    }
    encode_with_checksum(&header, layers, golden)
}

fn encode_with_checksum(header: &Header<'_>, layers: &Layers<'_>, golden: &[Token]) -> Result<Vec<u8>, EncodeError> {
    let vocab = Vocab::new(header.vocab)?;
    let config =
        Config::new(vocab.len(), header.n_embd.into(), header.activation, &header.levels)?.with_skip(header.skip);
    let state_words = state_words_of(&config, header.precision, header.layout, &header.weights)?;
    let mut slab = SlabWriter::default();
    let shapes: Vec<LinearShape<'_>> = config.linear_shapes().collect();
    expect("weight formats", header.weights.len(), shapes.len())?;
    match layers {
        Layers::F32 { embedding, layers } => {
            expect("embedding weights", embedding.len(), config.vocab_size() * config.n_embd())?;
            slab.push_f32(embedding);
            expect("weighted layers", layers.len(), shapes.len())?;
            for (linear, shape) in layers.iter().zip(shapes) {
                push_linear(&mut slab, linear, shape.fan_in(), shape.fan_out)?;
            }
        }
        Layers::Integer { embedding, layers } => {
            if header.weights.first().is_some_and(|format| format.reads_tokens()) {
                expect("embedding weights", embedding.len(), 0)?;
            } else {
                expect("embedding weights", embedding.len(), config.vocab_size() * config.n_embd())?;
                slab.push_i8(embedding);
            }
            expect("weighted layers", layers.len(), shapes.len())?;
            for (index, (layer, shape)) in layers.iter().zip(shapes).enumerate() {
                if index == 0 && layer.format == WeightFormat::Pairs {
                    let width = config.shapes().next().map_or(0, |shape| shape.width_out);
                    push_pairs(&mut slab, layer, width, config.vocab_size())?;
                    continue;
                }
                if index == 1 && layer.format == WeightFormat::Halves {
                    push_halves(&mut slab, layer, shape.fan_out, config.vocab_size())?;
                    continue;
                }
                push_integer(&mut slab, layer, header.layout, shape, config.vocab_size(), index)?;
            }
        }
    }
    slab.push(golden.iter().copied());

    let header = postcard::to_allocvec(header).map_err(|_| FormatError::BadHeader)?;
    let header_len = field("header", header.len())?;
    let total_len = slab_offset(header.len()) + slab.0.len();
    let mut preamble = Preamble {
        header_len,
        // The widest networks within the limits do not fit.
        total_len: field("blob", total_len)?,
        state_words: field("state", state_words)?,
        crc32: 0,
    };
    let mut blob = Vec::with_capacity(total_len);
    blob.extend(preamble.to_bytes());
    blob.extend(header);
    blob.resize(slab_offset(header_len.into()), 0);
    blob.extend(slab.0);
    preamble.crc32 = checksum(&blob);
    blob[..PREAMBLE_BYTES].copy_from_slice(&preamble.to_bytes());
    Ok(blob)
}

/// Arrays one after the other, each padded to [`SLAB_ALIGN`].
#[derive(Default)]
struct SlabWriter(Vec<u8>);

impl SlabWriter {
    fn push(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(SLAB_ALIGN), 0);
    }

    fn push_f32(&mut self, values: &[f32]) {
        self.push(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn push_i32(&mut self, values: &[i32]) {
        self.push(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn push_i8(&mut self, values: &[i8]) {
        self.push(values.iter().map(|&value| value as u8));
    }
}

fn push_linear(
    slab: &mut SlabWriter,
    linear: &LinearWeights<'_>,
    fan_in: usize,
    fan_out: usize,
) -> Result<(), EncodeError> {
    expect("biases of a layer", linear.bias.len(), fan_out)?;
    expect("weights of a layer", linear.weight.len(), fan_out * fan_in)?;
    let mut bias = linear.bias.to_vec();
    bias.resize(padded(fan_out), 0.0);
    slab.push_f32(&bias);
    let mut interleaved = vec![0.0; padded(fan_out) * fan_in];
    for (row, weights) in linear.weight.chunks_exact(fan_in).enumerate() {
        for (column, &weight) in weights.iter().enumerate() {
            interleaved[rows8_index(row, column, fan_in)] = weight;
        }
    }
    slab.push_f32(&interleaved);
    Ok(())
}

/// Writes the output of level 0: `width` values for every pair of characters.
fn push_pairs(slab: &mut SlabWriter, layer: &IntegerLayer, width: usize, vocab_size: usize) -> Result<(), EncodeError> {
    expect("entries of pairs", layer.weights.len(), vocab_size * vocab_size * width)?;
    expect("biases of pairs", layer.bias.len() + layer.multiplier.len(), 0)?;
    slab.push_i8(&layer.weights);
    Ok(())
}

/// Writes the multipliers and both halves of the sums of level 1.
fn push_halves(slab: &mut SlabWriter, layer: &IntegerLayer, rows: usize, vocab_size: usize) -> Result<(), EncodeError> {
    let bytes = 2 * vocab_size * vocab_size * half_words(rows) * size_of::<u32>();
    expect("bytes of halves", layer.weights.len(), bytes)?;
    expect("biases of halves", layer.bias.len(), 0)?;
    expect("multipliers of a layer", layer.multiplier.len(), rows)?;
    slab.push_i32(&layer.multiplier);
    slab.push_i8(&layer.weights);
    Ok(())
}

fn push_integer(
    slab: &mut SlabWriter,
    layer: &IntegerLayer,
    layout: Layout,
    shape: LinearShape<'_>,
    vocab_size: usize,
    index: usize,
) -> Result<(), EncodeError> {
    let (fan_out, format) = (shape.fan_out, layer.format);
    let table = index == 0 && format == WeightFormat::Table;
    let fan_in = if table { shape.positions * vocab_size } else { shape.fan_in() };
    expect("biases of a layer", layer.bias.len(), fan_out)?;
    expect("multipliers of a layer", layer.multiplier.len(), fan_out)?;
    expect("weights of a layer", layer.weights.len(), fan_out * fan_in)?;
    let allowed = if format == WeightFormat::Int4 { -7..=7 } else { -127..=127 };
    if layer.weights.iter().any(|weight| !allowed.contains(weight)) {
        return Err(FormatError::BadValue { layer: index }.into());
    }
    // Packed layouts have no room for a bias that no reader accepts.
    if let Some(row) = layer.bias.iter().position(|bias| bias.unsigned_abs() >= crate::quant::ACC_LIMIT as u32) {
        return Err(FormatError::AccumulatorOverflow { layer: index, row }.into());
    }
    if let Some(kernel) = PackedKernel::new(layout, format) {
        // Origin of each padded column.
        let mut columns = vec![None; kernel.columns(&shape)];
        for position in 0..shape.positions {
            let (from, to) = (shape.start(position, |width| width), kernel.start(&shape, position));
            (0..shape.width_of(position)).for_each(|index| columns[to + index] = Some(from + index));
        }
        let weight = |row: usize, column: usize| columns[column].map_or(0, |from| layer.weights[row * fan_in + from]);
        let blocks = kernel.pack(&layer.bias, &layer.multiplier, weight, fan_out, columns.len());
        slab.push(blocks.iter().flat_map(|word| word.to_le_bytes()));
        return Ok(());
    }
    slab.push_i32(&layer.bias);
    slab.push_i32(&layer.multiplier);
    match format {
        WeightFormat::Int4 => {
            let pack = |pair: &[i8]| pair[0] as u8 & 15 | pair.get(1).map_or(0, |&high| (high as u8) << 4);
            slab.push(layer.weights.chunks(fan_in).flat_map(|row| row.chunks(2).map(pack)));
        }
        _ => slab.push_i8(&layer.weights),
    }
    Ok(())
}

/// Checks the length of an array.
fn expect(what: &'static str, found: usize, expected: usize) -> Result<(), EncodeError> {
    if found == expected { Ok(()) } else { Err(EncodeError::WrongLength { what, found, expected }) }
}

/// Returns a length as its field in the blob stores it.
fn field<T: TryFrom<usize>>(what: &'static str, len: usize) -> Result<T, EncodeError> {
    T::try_from(len).map_err(|_| EncodeError::TooLong { what, len })
}
