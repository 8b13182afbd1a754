//! Packs a folded network into the blob that the runtime reads.

use std::path::{Path, PathBuf};

use runtime::format::{AlignedBlob, Header, Layout, Precision, WeightFormat};
use runtime::write::{EncodeError, Layers, LinearWeights, encode};
use runtime::{FormatError, Model, Provenance, Token};

use crate::model::file::{FoldedLinear, FoldedModel};
use crate::model::lost::Lost;
use crate::model::quantize::QuantizedModel;

/// Number of tokens in the golden text: three of the lecture's contexts, which a chip evaluates in a moment at boot.
const GOLDEN_LEN: usize = 24;

/// Error of a model that cannot be packed.
#[derive(Debug, thiserror::Error)]
#[error("the model cannot be packed: {0}")]
pub struct PackError(#[from] EncodeError);

/// Packs a model in single precision.
///
/// # Errors
/// [`PackError`] if the runtime refuses the blob: every blob is opened before it is returned.
pub fn pack_f32(model: &FoldedModel) -> Result<AlignedBlob, PackError> {
    fn linear(linear: &FoldedLinear) -> LinearWeights<'_> {
        LinearWeights {
            weight: linear.weight.as_slice().expect("row-major"),
            bias: linear.bias.as_slice().expect("contiguous"),
        }
    }
    let layers = model.levels.iter().chain([&model.output]).map(linear).collect();
    let layers = Layers::F32 { embedding: model.embedding.as_slice().expect("row-major"), layers };
    let formats = vec![WeightFormat::F32; model.levels.len() + 1];
    let lost = Some(Lost { kl: 0.0, delta: 0.0 });
    pack(model, (Precision::F32, lost), Layout::Rows8, &formats, &layers)
}

/// Packs a quantized model, in a layout for integers.
///
/// # Errors
/// [`PackError`] if the runtime refuses the blob.
pub fn pack_integer(model: &FoldedModel, quantized: &QuantizedModel, layout: Layout) -> Result<AlignedBlob, PackError> {
    let layers = Layers::Integer { embedding: &quantized.embedding, layers: &quantized.layers };
    let formats: Vec<WeightFormat> = quantized.layers.iter().map(|layer| layer.format).collect();
    pack(model, (quantized.precision, quantized.lost), layout, &formats, &layers)
}

fn pack(
    model: &FoldedModel,
    (precision, lost): (Precision, Option<Lost>),
    layout: Layout,
    formats: &[WeightFormat],
    layers: &Layers<'_>,
) -> Result<AlignedBlob, PackError> {
    let header = Header {
        precision,
        layout,
        activation: model.architecture.activation,
        n_embd: u16::try_from(model.architecture.n_embd).map_err(|_| EncodeError::from(FormatError::BadHeader))?,
        levels: heapless::Vec::from_slice(&model.architecture.levels)
            .map_err(|_| EncodeError::from(FormatError::BadHeader))?,
        skip: model.architecture.skip,
        weights: heapless::Vec::from_slice(formats).map_err(|_| EncodeError::from(FormatError::BadHeader))?,
        golden_len: 0,
        golden_crc32: 0,
        vocab: &model.vocab,
        provenance: Provenance {
            preset: &model.origin.preset,
            exporter_version: &model.origin.exporter_version,
            data_sha256: parse_sha256(&model.origin.data_sha256),
            seed: model.origin.seed,
            dev_nll_micronats: micronats(model.origin.dev_nll.or(model.finetuned().map(|before| before.dev_nll))),
            kl_micronats: micronats(lost.map(|lost| lost.kl)),
            delta_micronats: lost.map_or(0, |lost| (lost.delta * 1e6).round() as i32),
        },
    };
    let blob = encode(&header, layers, &golden_text(model.vocab_size()))?;
    Ok(AlignedBlob::from(blob.as_slice()))
}

/// Returns the golden text, with which a chip tests itself: random tokens, which exercise every part of the network.
///
/// A linear congruential generator with Knuth's multiplier draws the tokens; they depend only on the vocabulary's size.
pub fn golden_text(vocab_size: usize) -> Vec<Token> {
    let mut state = 42_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % vocab_size as u64
    };
    (0..GOLDEN_LEN).map(|_| Token::try_from(draw()).expect("below the vocabulary's size")).collect()
}

/// Converts a loss to the header's whole micronats; an unknown loss becomes [`u32::MAX`].
fn micronats(nll: Option<f64>) -> u32 {
    nll.map_or(u32::MAX, |nll| (nll * 1e6).round() as u32)
}

/// Parses a hash; returns zeros for text that is not 64 hexadecimal digits, since the hash is only information.
fn parse_sha256(digits: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    if digits.len() == 64 && digits.is_ascii() {
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).unwrap_or(0);
        }
    }
    hash
}

/// Model file of either kind.
#[derive(Clone, Debug)]
pub enum ModelFile {
    /// `model.safetensors`.
    Folded(Box<FoldedModel>),
    /// `model.blob`.
    Blob(AlignedBlob),
}

/// Reasons why a file is not a model of either kind.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The safetensors file is refused.
    #[error(transparent)]
    File(#[from] crate::model::file::FileError),
    /// The blob is refused.
    #[error("{path}: {source}")]
    Blob {
        /// The file.
        path: PathBuf,
        /// The runtime's error.
        source: FormatError,
    },
    /// The folded model cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl ModelFile {
    /// Reads a file of either kind; its first bytes say which.
    ///
    /// # Errors
    /// [`OpenError`] names the file and the problem.
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        let bytes = crate::io::read::read_bounded(path)
            .map_err(|source| crate::model::file::FileError::Read { path: path.to_owned(), source })?;
        if bytes.starts_with(&runtime::format::MAGIC) {
            let blob = AlignedBlob::from(bytes.as_slice());
            Model::new(blob.as_bytes()).map_err(|source| OpenError::Blob { path: path.to_owned(), source })?;
            Ok(Self::Blob(blob))
        } else {
            Ok(Self::Folded(Box::new(FoldedModel::from_safetensors(&bytes, path)?)))
        }
    }

    /// Returns the blob of the model: the file itself, or the blob that `export` would write in f32.
    ///
    /// # Errors
    /// [`PackError`] for a folded model that cannot be packed.
    pub fn into_blob(self) -> Result<AlignedBlob, PackError> {
        match self {
            Self::Folded(model) => pack_f32(&model),
            Self::Blob(blob) => Ok(blob),
        }
    }
}
