//! A model against logits that another program has computed, such as PyTorch for the notebook's network.
//!
//! The file is safetensors with `contexts` `[N, block_size]` (I64: indices of characters, the oldest first, padded with the boundary
//! in front) and `logits` `[N, vocab_size]` (floating point), and may have `targets` `[N]` (I64). Other tensors are passed over.

use std::path::{Path, PathBuf};

use runtime::{HeapState, Model, Stream, Token};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::compare::{divergence, largest, log_sum_exp};
use crate::data::Examples;
use crate::import::{ImportError, state_dict};

/// Contexts and what another program makes of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// `[rows][block_size]`.
    contexts: Vec<Token>,
    /// `[rows][vocab_size]`.
    logits: Vec<f64>,
    /// `[rows]`, if the file has them.
    targets: Option<Vec<Token>>,
    /// Characters of a context.
    pub block_size: usize,
    /// Logits of a context.
    pub vocab_size: usize,
}

/// Why a file has no golden logits, or none for that model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not safetensors, or has values that are no numbers.
    #[error(transparent)]
    File(#[from] ImportError),
    /// A tensor is not there, or of another kind.
    #[error("tensor {tensor:?} {problem}")]
    Tensor {
        /// Its name.
        tensor: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// It was made with another network.
    #[error("tensor {tensor:?} is of another model: it has {found} {what}, the model {expected}")]
    OtherModel {
        /// Which tensor shows it.
        tensor: &'static str,
        /// What is counted.
        what: &'static str,
        /// In the file.
        found: usize,
        /// Of the model.
        expected: usize,
    },
}

/// How far a model is from golden logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// The largest difference of a logit, in nats.
    pub max_abs_dlogit: f64,
    /// The mean of their magnitudes.
    pub mean_abs_dlogit: f64,
    /// With `targets`: their mean loss less that under the golden logits, nats per character. Without: the loss to be expected
    /// where the golden distribution is the truth, less its own, which is the Kullback-Leibler divergence and never negative.
    pub dnll: f64,
    /// Contexts for which both find the same character most probable, in percent.
    pub top1: f64,
}

impl Golden {
    /// Reads a file.
    ///
    /// # Errors
    /// [`GoldenError`] names the tensor.
    pub fn read(path: &Path) -> Result<Self, GoldenError> {
        let bytes = crate::io::read::read_bounded(path)
            .map_err(|source| GoldenError::Read { path: path.to_owned(), source })?;
        Self::from_safetensors(&bytes)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`GoldenError`] names the tensor.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, GoldenError> {
        let (file, _) = state_dict::open(bytes)?;
        let (rows, block_size, contexts) = matrix(&file, "contexts")?;
        let contexts = tokens("contexts", &contexts)?;
        let (logit_rows, vocab_size, view) = matrix(&file, "logits")?;
        let logits = state_dict::floats("logits", &view)?;
        if logit_rows != rows {
            let problem = format!("has {logit_rows} rows, \"contexts\" {rows}");
            return Err(GoldenError::Tensor { tensor: "logits", problem });
        }
        let targets = match file.tensor("targets") {
            Err(_) => None,
            Ok(view) if view.shape() == [rows] => Some(tokens("targets", &view)?),
            Ok(view) => {
                let problem = format!("has shape {:?}, must be [{rows}]", view.shape());
                return Err(GoldenError::Tensor { tensor: "targets", problem });
            }
        };
        for (tensor, tokens) in [("contexts", Some(&contexts)), ("targets", targets.as_ref())] {
            if let Some(token) = tokens.into_iter().flatten().find(|&&token| usize::from(token) >= vocab_size) {
                let problem = format!("has the character {token}, and there are logits for {vocab_size}");
                return Err(GoldenError::Tensor { tensor, problem });
            }
        }
        Ok(Self { contexts, logits, targets, block_size, vocab_size })
    }

    /// Contexts in it.
    pub fn rows(&self) -> usize {
        self.contexts.len() / self.block_size
    }

    /// Whether it says which character follows each context.
    pub fn has_targets(&self) -> bool {
        self.targets.is_some()
    }

    /// The contexts as examples, the targets unknown: something to calibrate on.
    pub fn examples(&self) -> Examples {
        let targets = vec![runtime::BOUNDARY; self.rows()];
        Examples { contexts: self.contexts.clone(), targets, block_size: self.block_size }
    }

    /// Runs a model over the contexts, character by character as on a chip.
    ///
    /// # Errors
    /// [`GoldenError::OtherModel`] if the file was made with another network.
    ///
    /// # Panics
    /// Never: a heap state fits its model.
    pub fn compare(&self, model: &Model<'_>) -> Result<Agreement, GoldenError> {
        let config = model.config();
        for (tensor, what, found, expected) in [
            ("contexts", "characters of context", self.block_size, config.block_size()),
            ("logits", "logits", self.vocab_size, config.vocab_size()),
        ] {
            if found != expected {
                return Err(GoldenError::OtherModel { tensor, what, found, expected });
            }
        }
        let mut state = HeapState::new(model);
        let mut stream = Stream::new(model, &mut state).expect("made for this model");
        let (mut max, mut sum, mut dnll, mut agreed) = (0.0_f64, 0.0, 0.0, 0_usize);
        let rows = self.contexts.chunks(self.block_size).zip(self.logits.chunks(self.vocab_size));
        for (row, (context, expected)) in rows.enumerate() {
            stream.reset();
            context.iter().for_each(|&token| stream.push(token));
            let logits = stream.logits();
            let found: Vec<f64> =
                (0..logits.len()).map(|index| logits.get(index as Token).map_or(f64::NAN, f64::from)).collect();
            for (expected, found) in expected.iter().zip(&found) {
                let delta = (expected - found).abs();
                max = max.max(delta);
                sum += delta;
            }
            dnll += match &self.targets {
                None => divergence(expected, &found),
                Some(targets) => {
                    let nll = |logits: &[f64]| log_sum_exp(logits) - logits[usize::from(targets[row])];
                    nll(&found) - nll(expected)
                }
            };
            agreed += usize::from(largest(expected) == largest(&found));
        }
        let rows = self.rows() as f64;
        Ok(Agreement {
            max_abs_dlogit: max,
            mean_abs_dlogit: sum / self.logits.len() as f64,
            dnll: dnll / rows,
            top1: 100.0 * agreed as f64 / rows,
        })
    }
}

/// A tensor of two dimensions with values in it.
fn matrix<'f>(file: &SafeTensors<'f>, tensor: &'static str) -> Result<(usize, usize, TensorView<'f>), GoldenError> {
    let problem = |problem: String| GoldenError::Tensor { tensor, problem };
    let view = file.tensor(tensor).map_err(|_| problem("is missing".to_owned()))?;
    match *view.shape() {
        [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns, view)),
        _ => Err(problem(format!("has shape {:?}, must be [N, n]", view.shape()))),
    }
}

/// Indices of characters.
fn tokens(tensor: &'static str, view: &TensorView<'_>) -> Result<Vec<Token>, GoldenError> {
    if view.dtype() != Dtype::I64 {
        return Err(GoldenError::Tensor { tensor, problem: format!("is {:?}, must be I64", view.dtype()) });
    }
    let token = |&bytes: &[u8; 8]| {
        let index = i64::from_le_bytes(bytes);
        let problem = || format!("has the value {index}, which is no index of a character");
        Token::try_from(index).map_err(|_| GoldenError::Tensor { tensor, problem: problem() })
    };
    view.data().as_chunks::<8>().0.iter().map(token).collect()
}
