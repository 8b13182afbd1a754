use alloc::vec;
use alloc::vec::Vec;

use super::{Header, PREAMBLE_BYTES, Preamble, checksum, slab_offset};
use crate::config::Config;
use crate::error::FormatError;
use crate::kernels::{padded, rows8_index};
use crate::vocab::Vocab;

/// A linear layer to be written: `weight` `[fan_out][fan_in]` row by row as PyTorch has it, `bias` `[fan_out]`.
#[derive(Clone, Copy, Debug)]
pub struct LinearWeights<'a> {
    /// The matrix, row-major.
    pub weight: &'a [f32],
    /// The bias.
    pub bias: &'a [f32],
}

/// The folded network to be written.
#[derive(Clone, Debug)]
pub struct Weights<'a> {
    /// `[vocab_size][n_embd]`.
    pub embedding: &'a [f32],
    /// One per level, from the characters up.
    pub levels: Vec<LinearWeights<'a>>,
    /// The layer that gives the logits.
    pub output: LinearWeights<'a>,
}

/// Writes a blob. The same input gives the same bytes.
///
/// The result is checked by [`crate::Model::new`] when it is read, not here: the dimensions are, the values are not.
///
/// # Errors
/// [`FormatError::BadDimension`] for dimensions no runtime would read, or for weights whose number is not what the
/// dimensions ask for; [`FormatError::BadHeader`] for a header of more than 65,535 bytes.
pub fn encode(header: &Header<'_>, weights: &Weights<'_>) -> Result<Vec<u8>, FormatError> {
    let vocab = Vocab::new(header.vocab)?;
    let config = Config::new(vocab.len(), header.n_embd.into(), header.activation, &header.levels)?;
    let mut slab: Vec<f32> = Vec::new();
    expect("embedding weights", weights.embedding.len(), config.vocab_size() * config.n_embd())?;
    slab.extend(weights.embedding);
    slab.resize(slab.len().next_multiple_of(4), 0.0);
    expect("number of weighted levels", weights.levels.len(), config.levels().len())?;
    for (shape, linear) in config.shapes().zip(&weights.levels) {
        push_linear(&mut slab, linear, shape.fan_in, shape.fan_out)?;
    }
    push_linear(&mut slab, &weights.output, config.n_hidden(), config.vocab_size())?;

    let header = postcard::to_allocvec(header).map_err(|_| FormatError::BadHeader)?;
    let header_len = u16::try_from(header.len()).map_err(|_| FormatError::BadHeader)?;
    let total_len = slab_offset(header.len()) + slab.len() * size_of::<f32>();
    let mut preamble = Preamble {
        header_len,
        // The limits on dimensions keep both far below 2^32... except the widest networks, refused here.
        total_len: u32::try_from(total_len).map_err(|_| FormatError::BadHeader)?,
        state_words: u32::try_from(config.state_layout().words()).map_err(|_| FormatError::BadHeader)?,
        crc32: 0,
    };
    let mut blob = Vec::with_capacity(total_len);
    blob.extend(preamble.to_bytes());
    blob.extend(header);
    blob.resize(slab_offset(header_len.into()), 0);
    blob.extend(slab.iter().flat_map(|weight| weight.to_le_bytes()));
    preamble.crc32 = checksum(&blob);
    blob[..PREAMBLE_BYTES].copy_from_slice(&preamble.to_bytes());
    Ok(blob)
}

fn push_linear(
    slab: &mut Vec<f32>,
    linear: &LinearWeights<'_>,
    fan_in: usize,
    fan_out: usize,
) -> Result<(), FormatError> {
    expect("biases of a layer", linear.bias.len(), fan_out)?;
    expect("weights of a layer", linear.weight.len(), fan_out * fan_in)?;
    slab.extend(linear.bias);
    slab.resize(slab.len() + padded(fan_out) - fan_out, 0.0);
    let mut interleaved = vec![0.0; padded(fan_out) * fan_in];
    for (row, weights) in linear.weight.chunks_exact(fan_in).enumerate() {
        for (column, &weight) in weights.iter().enumerate() {
            interleaved[rows8_index(row, column, fan_in)] = weight;
        }
    }
    slab.extend(interleaved);
    Ok(())
}

fn expect(what: &'static str, found: usize, expected: usize) -> Result<(), FormatError> {
    if found == expected {
        Ok(())
    } else {
        Err(FormatError::BadDimension { what, found, min: expected, max: expected })
    }
}

/// A blob on the heap, aligned as [`crate::Model::new`] asks (a `Vec<u8>` promises nothing).
#[derive(Clone, Debug)]
pub struct AlignedBlob {
    words: Vec<u128>,
    len: usize,
}

impl AlignedBlob {
    /// The bytes of the blob.
    pub fn as_bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

impl From<&[u8]> for AlignedBlob {
    fn from(bytes: &[u8]) -> Self {
        let mut words = vec![0_u128; bytes.len().div_ceil(size_of::<u128>())];
        bytemuck::cast_slice_mut::<u128, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self { words, len: bytes.len() }
    }
}
