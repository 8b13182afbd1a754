//! Reads a folded model from the bytes of its file: first the metadata, then tensors with the shapes in the metadata.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

use ndarray::{Array1, Array2};
use runtime::{Activation, Vocab};
use safetensors::tensor::{Dtype, SafeTensors};

use super::{FORMAT_VERSION, FileError, FoldedLinear, FoldedModel, Origin, kind};
use crate::data::SplitRule;
use crate::model::architecture::{self, Architecture};

/// A file whose header has been read.
pub(super) struct Reader<'a> {
    path: &'a Path,
    metadata: HashMap<String, String>,
    tensors: SafeTensors<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], path: &'a Path) -> Result<Self, FileError> {
        let other_kind = |kind| FileError::OtherKind { path: path.to_owned(), kind };
        if let Some(kind) = kind::not_safetensors(bytes) {
            return Err(other_kind(kind));
        }
        let not_safetensors = |source| FileError::NotSafetensors { path: path.to_owned(), source };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        match kind::not_folded(&metadata, &tensors, path) {
            Some(kind) => Err(other_kind(kind)),
            None => Ok(Self { path, metadata, tensors }),
        }
    }

    pub(super) fn model(&self) -> Result<FoldedModel, FileError> {
        self.check_format()?;
        let architecture = self.architecture()?;
        let vocab = self.get("vocab")?.to_owned();
        let dimensions = |source| FileError::Dimensions { path: self.path.to_owned(), source };
        let vocab_size = Vocab::new(&vocab).map_err(dimensions)?.len();
        let config = architecture.config(vocab_size).map_err(dimensions)?;
        let origin = self.origin()?;
        Ok(FoldedModel {
            embedding: self.matrix("embedding.weight", vocab_size, architecture.n_embd)?,
            levels: config
                .shapes()
                .enumerate()
                .map(|(index, shape)| self.linear(&format!("levels.{index}.linear"), shape.fan_in, shape.fan_out))
                .collect::<Result<_, _>>()?,
            output: self.linear("output", config.output_fan_in(), vocab_size)?,
            architecture,
            vocab,
            origin,
        })
    }

    fn check_format(&self) -> Result<(), FileError> {
        let version = self.get("format_version")?;
        if version != FORMAT_VERSION {
            let reason = format!("it has format version {version}, but this program reads version {FORMAT_VERSION}");
            return Err(self.not_a_model(reason));
        }
        Ok(())
    }

    fn architecture(&self) -> Result<Architecture, FileError> {
        let levels = self.get("levels")?;
        let name = self.get("activation")?;
        let activation = Activation::from_name(name).ok_or_else(|| self.bad("activation", name))?;
        Ok(Architecture {
            n_embd: self.number("n_embd")?,
            levels: architecture::levels(levels).map_err(|reason| self.not_a_model(reason))?.0,
            activation,
            skip: match self.metadata.get("skip").map(String::as_str) {
                None => false,
                Some("true") => true,
                Some(other) => return Err(self.bad("skip", other)),
            },
        })
    }

    fn origin(&self) -> Result<Origin, FileError> {
        let text = |key: &str| self.get(key).map(str::to_owned);
        Ok(Origin {
            preset: text("preset")?,
            recipe: text("recipe")?,
            finetune: self.metadata.get("finetune").cloned().unwrap_or_default(),
            steps: self.number("steps")?,
            seed: self.number("seed")?,
            threads: self.number("threads")?,
            data_sha256: text("data_sha256")?,
            dedup: self.get("dedup")? == "true",
            sample: self.optional("sample"),
            max_characters: self.optional("max_characters"),
            split: match self.metadata.get("split") {
                None => SplitRule::Lecture,
                Some(name) => SplitRule::from_name(name).ok_or_else(|| self.bad("split", name))?,
            },
            train_nll: self.optional("train_nll"),
            dev_nll: self.optional("dev_nll"),
            test_nll: self.optional("test_nll"),
            exporter_version: text("exporter_version")?,
        })
    }

    fn linear(&self, name: &str, fan_in: usize, fan_out: usize) -> Result<FoldedLinear, FileError> {
        let step = format!("{name}.int4_step");
        let has_step = self.tensors.tensor(&step).is_ok();
        Ok(FoldedLinear {
            weight: self.matrix(&format!("{name}.weight"), fan_out, fan_in)?,
            bias: self.vector(&format!("{name}.bias"), fan_out)?,
            int4_step: has_step.then(|| self.vector(&step, fan_out)).transpose()?,
        })
    }

    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Array2<f32>, FileError> {
        let values = self.values(name, &[rows, columns])?;
        Ok(Array2::from_shape_vec((rows, columns), values).expect("its shape was checked"))
    }

    fn vector(&self, name: &str, len: usize) -> Result<Array1<f32>, FileError> {
        Ok(Array1::from(self.values(name, &[len])?))
    }

    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, FileError> {
        let missing = |_| self.not_a_model(format!("it has no tensor {name:?}"));
        let tensor = self.tensors.tensor(name).map_err(missing)?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            let (dtype, found) = (tensor.dtype(), tensor.shape());
            return Err(self.not_a_model(format!("tensor {name:?} is {dtype:?} {found:?}, but must be F32 {shape:?}")));
        }
        let (chunks, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(self.not_a_model(format!("tensor {name:?} has a value that is not finite")))
        }
    }

    fn get(&self, key: &str) -> Result<&str, FileError> {
        let missing = || self.not_a_model(format!("its metadata has no {key:?}"));
        self.metadata.get(key).map(String::as_str).ok_or_else(missing)
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<T, FileError> {
        let value = self.get(key)?;
        value.parse().map_err(|_| self.bad(key, value))
    }

    /// Returns a number that may be missing; text that is not a number counts as missing.
    fn optional<T: FromStr>(&self, key: &str) -> Option<T> {
        self.metadata.get(key)?.parse().ok()
    }

    fn bad(&self, key: &str, value: &str) -> FileError {
        self.not_a_model(format!("its metadata has the invalid value {value:?} for {key:?}"))
    }

    fn not_a_model(&self, reason: String) -> FileError {
        FileError::NotAModel { path: self.path.to_owned(), reason }
    }
}
