//! `checkpoint.safetensors`: the state from which a training continues as if it had never stopped.
//!
//! ```text
//! variable/NAME              the network's parameters and running statistics
//! mean/NAME, square/NAME     AdamW's running means
//! best                       the model that the recipe keeps so far, as the bytes of its file
//! ```
//!
//! The file lacks the state of the random generator: see `train/draws.rs`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Kind, Tensor};

use crate::io::write::{WriteError, write_atomically};
use crate::model::arrays::to_vector;
use crate::train::optimizer::Optimizer;

const FORMAT: &str = "makemore-checkpoint";
const FORMAT_VERSION: &str = "1";

/// State of a training between two steps.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// Steps done.
    pub step: usize,
    /// Time that these steps took, in seconds.
    pub seconds: f64,
    /// Settings and words, for comparison with the training that continues.
    pub fingerprint: String,
    /// Step and dev loss of the best measurement so far.
    pub best: Option<(usize, f64)>,
    /// Model of the best measurement, as the bytes of a file.
    pub best_model: Vec<u8>,
    /// Tensors in f32 by name.
    pub tensors: BTreeMap<String, (Vec<i64>, Vec<f32>)>,
}

/// Reason why a training cannot continue from a file.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The file is damaged or not a checkpoint.
    #[error("{path} is not a checkpoint of this program, or is damaged: {reason}")]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// The checkpoint belongs to another network, recipe, seed or list.
    #[error("the checkpoint belongs to a training with other settings: {differences}")]
    OtherTraining {
        /// The differences, by option.
        differences: String,
    },
    /// A tensor is missing or has another shape.
    #[error("the checkpoint has no tensor {name:?} of shape {shape:?}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// Shape that the network needs.
        shape: Vec<i64>,
    },
}

impl Checkpoint {
    /// Stores a copy of a tensor.
    pub fn put(&mut self, name: String, tensor: &Tensor) {
        let values = to_vector::<f32>(&tensor.reshape([-1])).to_vec();
        self.tensors.insert(name, (tensor.size(), values));
    }

    /// Copies the stored tensor `name` into `tensor`.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] if the checkpoint has no tensor of that name and shape.
    pub fn get(&self, name: &str, tensor: &Tensor) -> Result<(), CheckpointError> {
        let shape = tensor.size();
        match self.tensors.get(name) {
            Some((found, values)) if *found == shape => {
                let values = Tensor::from_slice(values).view(shape.as_slice());
                tch::no_grad(|| tensor.shallow_clone().copy_(&values));
                Ok(())
            }
            _ => Err(CheckpointError::Tensor { name: name.to_owned(), shape }),
        }
    }

    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let tensors: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, (shape, values))| {
                let shape = shape.iter().map(|&n| usize::try_from(n).expect("a dimension")).collect();
                (name.as_str(), Dtype::F32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .chain([("best", Dtype::U8, vec![self.best_model.len()], self.best_model.clone())])
            .collect();
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).expect("the bytes fit the shape"))
        });
        let mut metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("format_version".to_owned(), FORMAT_VERSION.to_owned()),
            ("step".to_owned(), self.step.to_string()),
            ("seconds".to_owned(), self.seconds.to_string()),
            ("fingerprint".to_owned(), self.fingerprint.clone()),
        ]);
        if let Some((step, nll)) = self.best {
            metadata.insert("best_step".to_owned(), step.to_string());
            // Exact to the last bit: the next measurement is compared with this loss.
            metadata.insert("best_nll_bits".to_owned(), nll.to_bits().to_string());
        }
        safetensors::serialize(views, Some(metadata)).expect("the names are distinct")
    }

    /// Writes the file atomically.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        write_atomically(path, &self.to_bytes())
    }

    /// Reads a file written by [`Checkpoint::write`].
    ///
    /// # Errors
    /// [`CheckpointError`] if the file cannot be read or is not a checkpoint.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?;
        let wrong = |reason: String| CheckpointError::NotACheckpoint { path: path.to_owned(), reason };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let get = |key: &str| metadata.get(key).ok_or_else(|| wrong(format!("its metadata has no {key:?}")));
        fn parse<T: std::str::FromStr>(text: &str) -> Option<T> {
            text.parse().ok()
        }
        let bad = |key: &str| wrong(format!("its {key:?} cannot be read"));
        if (get("format")?.as_str(), get("format_version")?.as_str()) != (FORMAT, FORMAT_VERSION) {
            return Err(wrong("it has another format or version".to_owned()));
        }
        let best = match metadata.get("best_step") {
            None => None,
            Some(step) => Some((
                parse(step).ok_or_else(|| bad("best_step"))?,
                f64::from_bits(parse(get("best_nll_bits")?).ok_or_else(|| bad("best_nll_bits"))?),
            )),
        };
        let mut checkpoint = Self {
            step: parse(get("step")?).ok_or_else(|| bad("step"))?,
            seconds: parse(get("seconds")?).ok_or_else(|| bad("seconds"))?,
            fingerprint: get("fingerprint")?.clone(),
            best,
            ..Self::default()
        };
        for (name, view) in file.tensors() {
            if view.dtype() == Dtype::F32 {
                let shape = view.shape().iter().map(|&n| i64::try_from(n).expect("a dimension")).collect();
                let (chunks, _) = view.data().as_chunks::<4>();
                let values = chunks.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
                checkpoint.tensors.insert(name, (shape, values));
            } else {
                checkpoint.best_model = view.data().to_vec();
            }
        }
        Ok(checkpoint)
    }
}

impl Optimizer {
    /// Stores the optimizer's state, under the names of the parameters.
    pub(super) fn save(&self, checkpoint: &mut Checkpoint) {
        for (name, means) in self.state() {
            for (what, tensor) in ["mean", "square"].iter().zip(means) {
                checkpoint.put(format!("{what}/{name}"), tensor);
            }
        }
    }

    /// Restores the state from a checkpoint.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        self.set_steps(checkpoint.step);
        for (name, means) in self.state() {
            for (what, tensor) in ["mean", "square"].iter().zip(means) {
                checkpoint.get(&format!("{what}/{name}"), tensor)?;
            }
        }
        Ok(())
    }
}

/// Returns all variables of a network, trained or not, in the order of their names.
pub(super) fn variables(store: &tch::nn::VarStore) -> BTreeMap<String, Tensor> {
    store.variables().into_iter().filter(|(_, tensor)| tensor.kind() == Kind::Float).collect()
}
