//! `model.safetensors`: the folded network in f32; the metadata has its dimensions and how it was made.
//!
//! ```text
//! embedding.weight          [vocab_size, n_embd]
//! levels.0.linear.weight    [width, fuse * n_embd]      levels.0.linear.bias  [width]
//! levels.1.linear.weight    [width, fuse * width]       ...
//! output.weight             [vocab_size, n_hidden]      output.bias           [vocab_size]
//! levels.1.linear.int4_step [width]                     after `finetune` only: a row's weights are multiples of it
//! ```

pub mod kind;
mod reader;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use runtime::FormatError;
use safetensors::tensor::{Dtype, TensorView};

use crate::data::SplitRule;
use crate::io::read::read_bounded;
use crate::io::write::{WriteError, write_atomically};
use crate::model::architecture::Architecture;
use crate::model::lost::Lost;
use reader::Reader;

/// Value of `format` in the metadata.
pub const FORMAT: &str = "makemore-folded";
/// Value of `format_version` in the metadata.
pub const FORMAT_VERSION: &str = "1";

/// A linear layer: `weight` `[fan_out, fan_in]`, `bias` `[fan_out]`.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedLinear {
    /// The matrix.
    pub weight: Array2<f32>,
    /// The bias.
    pub bias: Array1<f32>,
    /// 4-bit step of each row, `[fan_out]`, if [`crate::train::finetune`] rounded the weights to multiples of it.
    pub int4_step: Option<Array1<f32>>,
}

/// The folded network, and how it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedModel {
    /// Shape of the network.
    pub architecture: Architecture,
    /// The characters in the order of their indices, the boundary's sign first.
    pub vocab: String,
    /// The embedding, `[vocab_size, n_embd]`.
    pub embedding: Array2<f32>,
    /// The levels, from the characters up.
    pub levels: Vec<FoldedLinear>,
    /// The output layer, which computes the logits.
    pub output: FoldedLinear,
    /// Provenance and losses.
    pub origin: Origin,
}

/// Provenance and losses of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Name of the preset.
    pub preset: String,
    /// The recipe, as JSON.
    pub recipe: String,
    /// The fine-tuning for 4 bits, as JSON; empty if the model was not fine-tuned.
    pub finetune: String,
    /// The step with the best dev loss; the weights are those of this step.
    pub steps: usize,
    /// The training's seed.
    pub seed: u64,
    /// Number of libtorch's threads: the same seed and number of threads make the same bytes.
    pub threads: usize,
    /// SHA-256 of the word list, in hexadecimal digits.
    pub data_sha256: String,
    /// True if duplicate words were dropped.
    pub dedup: bool,
    /// Size of the sample, if the list was too long and a sample was drawn.
    pub sample: Option<usize>,
    /// Number of characters kept, the commonest, if words with rarer characters were dropped.
    pub max_characters: Option<usize>,
    /// Rule that split the list.
    pub split: SplitRule,
    /// Mean loss of the training split in eval mode, in nats per character.
    pub train_nll: Option<f64>,
    /// Mean loss of the dev split.
    pub dev_nll: Option<f64>,
    /// Mean loss of the test split.
    pub test_nll: Option<f64>,
    /// Version of the exporter.
    pub exporter_version: String,
}

/// Reasons why a file is not a folded model.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is not safetensors.
    #[error("{path} is not a safetensors file: {source}")]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// The reader's error.
        source: safetensors::SafeTensorError,
    },
    /// The file is of another kind.
    #[error("{path} {kind}")]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// Kind of the file and what to do with it, a predicate that follows the file's name.
        kind: String,
    },
    /// The file was written by this program, but is incomplete or has wrong values.
    #[error("{path} is not a model of this program: {reason}")]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// The missing or wrong part.
        reason: String,
    },
    /// The runtime does not support the dimensions.
    #[error("{path}: {source}")]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// The runtime's error.
        source: FormatError,
    },
}

/// Fine-tuned weights compared with the model before, on its dev split.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Finetuned {
    /// Loss of the model before, in f32, in nats per character.
    pub dev_nll: f64,
    /// Loss of the integers against that model.
    pub lost: Lost,
}

impl FoldedModel {
    /// Returns the number of characters, the boundary included.
    pub fn vocab_size(&self) -> usize {
        self.vocab.chars().count()
    }

    /// Returns whether this is a model of text: see [`Vocab::is_of_text`](runtime::Vocab::is_of_text).
    pub fn is_of_text(&self) -> bool {
        runtime::Vocab::new(&self.vocab).is_ok_and(|vocab| vocab.is_of_text())
    }

    /// Returns how fine-tuned weights compare with the model before, if the file has it.
    pub fn finetuned(&self) -> Option<Finetuned> {
        serde_json::from_str(&self.origin.finetune).ok()
    }

    /// Returns whether a level has steps that were fine-tuned for 4 bits.
    pub fn is_finetuned(&self) -> bool {
        self.levels.iter().any(|level| level.int4_step.is_some())
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<u8>)> {
        fn entry(name: String, shape: &[usize], values: impl Iterator<Item = f32>) -> (String, Vec<usize>, Vec<u8>) {
            (name, shape.to_vec(), values.flat_map(f32::to_le_bytes).collect())
        }
        let matrix = |name: String, array: &Array2<f32>| entry(name, array.shape(), array.iter().copied());
        let vector = |name: String, array: &Array1<f32>| entry(name, array.shape(), array.iter().copied());
        let mut tensors = vec![matrix("embedding.weight".into(), &self.embedding)];
        for (index, linear) in self.levels.iter().enumerate() {
            tensors.push(matrix(format!("levels.{index}.linear.weight"), &linear.weight));
            tensors.push(vector(format!("levels.{index}.linear.bias"), &linear.bias));
            if let Some(step) = &linear.int4_step {
                tensors.push(vector(format!("levels.{index}.linear.int4_step"), step));
            }
        }
        tensors.push(matrix("output.weight".into(), &self.output.weight));
        tensors.push(vector("output.bias".into(), &self.output.bias));
        tensors
    }

    fn metadata(&self) -> BTreeMap<&'static str, String> {
        let origin = &self.origin;
        let nll = |nll: Option<f64>| nll.map(|nll| format!("{nll:.6}"));
        let levels: Vec<String> =
            self.architecture.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
        let activation = self.architecture.activation.name();
        let mut metadata = BTreeMap::from([
            ("format", FORMAT.to_owned()),
            ("format_version", FORMAT_VERSION.to_owned()),
            ("vocab", self.vocab.clone()),
            ("n_embd", self.architecture.n_embd.to_string()),
            ("levels", levels.join(",")),
            ("activation", activation.to_owned()),
            ("preset", origin.preset.clone()),
            ("recipe", origin.recipe.clone()),
            ("steps", origin.steps.to_string()),
            ("seed", origin.seed.to_string()),
            ("threads", origin.threads.to_string()),
            ("data_sha256", origin.data_sha256.clone()),
            ("dedup", origin.dedup.to_string()),
            ("exporter_version", origin.exporter_version.clone()),
        ]);
        if self.architecture.skip {
            metadata.insert("skip", "true".to_owned());
        }
        if let Some(words) = origin.sample {
            metadata.insert("sample", words.to_string());
        }
        if let Some(characters) = origin.max_characters {
            metadata.insert("max_characters", characters.to_string());
        }
        // The lecture's is the rule of files without an entry.
        if origin.split != SplitRule::Lecture {
            metadata.insert("split", origin.split.name().to_owned());
        }
        if !origin.finetune.is_empty() {
            metadata.insert("finetune", origin.finetune.clone());
        }
        let block_size: usize = self.architecture.levels.iter().map(|level| usize::from(level.fuse)).product();
        metadata.insert("block_size", block_size.to_string());
        for (key, value) in
            [("train_nll", origin.train_nll), ("dev_nll", origin.dev_nll), ("test_nll", origin.test_nll)]
        {
            if let Some(value) = nll(value) {
                metadata.insert(key, value);
            }
        }
        metadata
    }

    /// Returns the bytes of the file. They depend only on the model.
    ///
    /// # Panics
    /// If the tensors do not have the shapes of the architecture, which is a mistake of the caller.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let tensors = self.tensors();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("as many bytes as the shape asks for"))
        });
        let metadata: HashMap<String, String> =
            self.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let bytes = safetensors::serialize(views, Some(metadata)).expect("the names are distinct");
        sort_header(bytes)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        write_atomically(path, &self.to_safetensors())
    }

    /// Reads a file written by [`FoldedModel::write`].
    ///
    /// # Errors
    /// [`FileError`] names the file and the problem.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = read_bounded(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        Self::from_safetensors(&bytes, path)
    }

    /// Reads the bytes of a file; `path` is for messages only.
    ///
    /// # Errors
    /// [`FileError`] names the file and the problem.
    pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<Self, FileError> {
        Reader::new(bytes, path)?.model()
    }
}

/// Rewrites the JSON header with sorted keys: the safetensors crate keeps the metadata in a hash map, whose order
/// changes from run to run.
fn sort_header(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = bytes.first_chunk::<8>().map(|len| u64::from_le_bytes(*len)).expect("it was just written");
    let end = 8 + usize::try_from(len).expect("it fits the memory");
    // serde_json keeps the keys of an object sorted; the safetensors crate pads the header with spaces.
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..end]).expect("it was just written");
    let mut sorted = header.to_string().into_bytes();
    assert!(sorted.len() <= end - 8, "only the order changes");
    sorted.resize(end - 8, b' ');
    bytes[8..end].copy_from_slice(&sorted);
    bytes
}
