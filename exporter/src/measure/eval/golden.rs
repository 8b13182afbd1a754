//! Compares a model with golden logits, computed by another program, such as PyTorch, for the same network.
//!
//! A golden file is safetensors with `contexts` `[N, block_size]` (I64: tokens, the oldest first, padded in front with
//! the boundary) and `logits` `[N, vocab_size]` (floating point). It may have `targets` `[N]` (I64). Other tensors are
//! ignored.
//!
//! Log-probabilities are logits plus a constant per context, which changes no word: they are compared without the
//! constant, and [`Agreement::constant`] is then true.

use std::path::{Path, PathBuf};

use runtime::format::Precision;
use runtime::{BOUNDARY, HeapState, Model, Stream, Token};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::compare::{divergence, largest, log_sum_exp};
use crate::data::Examples;
use crate::import::{ImportError, Rows, state_dict};

/// Contexts, and the logits that another program computed for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// Tokens of the contexts, `[rows][block_size]`.
    contexts: Vec<Token>,
    /// Logits, `[rows][vocab_size]`.
    logits: Vec<f64>,
    /// Tokens that follow the contexts, `[rows]`, if the file has them.
    targets: Option<Vec<Token>>,
    /// Number of characters in a context.
    pub block_size: usize,
    /// Number of logits per context.
    pub vocab_size: usize,
    /// Rounding of logits that are stored in less than 32 bits; `None` for 32 bits and more.
    pub coarse: Option<Coarse>,
}

/// Rounding of logits that are stored in less than 32 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coarse {
    /// Name of the type in safetensors.
    pub dtype: &'static str,
    /// Largest rounding error of a stored logit, in nats.
    pub rounding: f64,
}

/// Returns the default tolerance of a logit, in nats.
///
/// - f32: the sums are in another order, and tanh is within 4.5e-7; measured differences are 2e-6 to 7e-6.
/// - int8: a weight is off by up to 1/254 of the largest in its row; measured differences are 0.02 to 0.16.
/// - int4: a weight of an inner level is off by up to 1/14; measured differences are 0.06 to 0.9.
///
/// The tolerances of the integers only detect another model; [`Agreement::dnll`] measures the loss by rounding.
pub const fn default_limit(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-4,
        Precision::Int8 => 1.0,
        Precision::Int4 => 3.0,
    }
}

/// Reasons why golden logits cannot be compared with a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is not safetensors, or has values that are not finite.
    #[error(transparent)]
    File(#[from] ImportError),
    /// A tensor is missing or of another kind.
    #[error("tensor {tensor:?} {problem}")]
    Tensor {
        /// Name of the tensor.
        tensor: &'static str,
        /// The problem, a predicate that follows the tensor's name.
        problem: String,
    },
    /// No network that the shapes allow computes these logits.
    #[error(
        "none of the {tried} networks that the shapes allow computes these logits: the nearest, {nearest}, is off by \
         {off:.2e} (max |d logit|; {limit:.0e} passes). Other possible differences: an activation that this program \
         does not know, a residual connection, the dilation or padding of a convolution, eps, or logits that were \
         computed in training mode (dropout, BatchNorm)"
    )]
    NoneFits {
        /// Number of networks tried.
        tried: usize,
        /// Description of the network with the nearest logits.
        nearest: String,
        /// Largest difference of its logits.
        off: f64,
        /// Tolerance.
        limit: f64,
    },
    /// The file was made with another network.
    #[error("tensor {tensor:?} is of another model: it has {found} {what}, the model has {expected}")]
    OtherModel {
        /// Name of the tensor.
        tensor: &'static str,
        /// Noun for the counted values.
        what: &'static str,
        /// Number in the file.
        found: usize,
        /// Number in the model.
        expected: usize,
    },
}

/// Distance of a model from golden logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Largest difference of a logit, in nats.
    pub max_abs_dlogit: f64,
    /// Mean magnitude of the differences, in nats.
    pub mean_abs_dlogit: f64,
    /// Loss of the model minus loss of the golden logits, in nats per character.
    ///
    /// With `targets`, both losses are means over the targets. Without, the golden distributions are taken as the
    /// truth: the difference is then the Kullback-Leibler divergence, which is never negative.
    pub dnll: f64,
    /// Percentage of contexts for which both find the same character most probable.
    pub top1: f64,
    /// True if the logits agree only up to a constant per context; the differences above are then without it.
    pub constant: bool,
}

impl Golden {
    /// Reads a golden file.
    ///
    /// # Errors
    /// [`GoldenError`] names the tensor and the problem.
    pub fn read(path: &Path) -> Result<Self, GoldenError> {
        let bytes = crate::io::read::read_bounded(path)
            .map_err(|source| GoldenError::Read { path: path.to_owned(), source })?;
        Self::from_safetensors(&bytes)
    }

    /// Reads the bytes of a golden file.
    ///
    /// # Errors
    /// [`GoldenError`] names the tensor and the problem.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, GoldenError> {
        let (file, _) = state_dict::open(bytes)?;
        let (rows, block_size, contexts) = matrix(&file, "contexts")?;
        let contexts = tokens("contexts", &contexts)?;
        let (logit_rows, vocab_size, view) = matrix(&file, "logits")?;
        let logits = state_dict::floats("logits", &view)?;
        let coarse = coarse(view.dtype(), &logits);
        if logit_rows != rows {
            let problem = format!("has {logit_rows} rows, \"contexts\" has {rows}");
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
                let problem = format!("has the token {token}, but there are only {vocab_size} logits per context");
                return Err(GoldenError::Tensor { tensor, problem });
            }
        }
        let golden = Self { contexts, logits, targets, block_size, vocab_size, coarse };
        if golden
            .rows_of_logits()
            .all(|row| row.iter().all(|&p| p >= 0.0) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-2)
        {
            let problem =
                "has probabilities: every row sums to 1; save the logits, the input of softmax, instead".to_owned();
            return Err(GoldenError::Tensor { tensor: "logits", problem });
        }
        Ok(golden)
    }

    fn rows_of_logits(&self) -> impl Iterator<Item = &[f64]> {
        self.logits.chunks(self.vocab_size)
    }

    /// Returns the largest rounding error of a stored logit; 0 for 32 bits and more, where other errors are larger.
    pub fn rounding(&self) -> f64 {
        self.coarse.map_or(0.0, |coarse| coarse.rounding)
    }

    /// Returns whether the logits are log-probabilities: the probabilities of every row sum to 1, within precision.
    pub fn are_log_probabilities(&self) -> bool {
        let limit = 1e-4 + 2.0 * self.rounding();
        self.rows_of_logits().all(|row| log_sum_exp(row).abs() < limit)
    }

    /// Returns the token that pads the contexts: enough contexts begin with it twice, and hardly any with another token
    /// twice.
    pub fn padding(&self) -> Option<Token> {
        let mut runs = [0_usize; 256];
        for context in self.contexts.chunks(self.block_size) {
            if let [first, second, ..] = context
                && first == second
            {
                runs[usize::from(*first)] += 1;
            }
        }
        let all: usize = runs.iter().sum();
        let (token, most) = (0_u8..=255).zip(runs).max_by_key(|(_, count)| *count)?;
        // Few contexts begin with a doubled letter; many begin with padding, at the beginning of a word.
        (most >= 3 && most * 20 >= self.rows() && most * 10 >= all * 9).then_some(token)
    }

    /// Returns contexts and logits in the token order of a model whose boundary was moved from other rows of the file.
    ///
    /// # Errors
    /// [`GoldenError`] if the number of rows differs, or a context has the sign that only ends words.
    pub fn reordered(&self, rows: &Rows) -> Result<Self, GoldenError> {
        if rows.len != self.vocab_size {
            let (found, expected) = (self.vocab_size, rows.len);
            return Err(GoldenError::OtherModel { tensor: "logits", what: "logits", found, expected });
        }
        let tokens = |tensor, tokens: &[Token], order: Vec<usize>| -> Result<Vec<Token>, GoldenError> {
            let place = |&token: &Token| {
                let place = order.iter().position(|&row| row == usize::from(token));
                let problem = || format!("has the token {token}, which is no character of this model there");
                place
                    .and_then(|place| Token::try_from(place).ok())
                    .ok_or_else(|| GoldenError::Tensor { tensor, problem: problem() })
            };
            tokens.iter().map(place).collect()
        };
        let predicted = rows.predicted();
        Ok(Self {
            contexts: tokens("contexts", &self.contexts, rows.read())?,
            targets: (self.targets.as_ref()).map(|targets| tokens("targets", targets, rows.predicted())).transpose()?,
            logits: self.rows_of_logits().flat_map(|row| predicted.iter().map(|&at| row[at])).collect(),
            vocab_size: predicted.len(),
            ..self.clone()
        })
    }

    /// Returns at most `rows` contexts, spread over all.
    #[must_use]
    pub fn some(&self, rows: usize) -> Self {
        let step = (self.rows() / rows.max(1)).max(1);
        let picked = || (0..self.rows()).step_by(step).take(rows.max(1));
        fn take<T: Copy>(values: &[T], width: usize, picked: impl Iterator<Item = usize>) -> Vec<T> {
            picked.flat_map(|row| values[row * width..(row + 1) * width].iter().copied()).collect()
        }
        Self {
            contexts: take(&self.contexts, self.block_size, picked()),
            logits: take(&self.logits, self.vocab_size, picked()),
            targets: self.targets.as_ref().map(|targets| take(targets, 1, picked())),
            ..self.clone()
        }
    }

    /// Returns the number of contexts.
    pub fn rows(&self) -> usize {
        self.contexts.len() / self.block_size
    }

    /// Returns whether the file has the character that follows each context.
    pub fn has_targets(&self) -> bool {
        self.targets.is_some()
    }

    /// Returns the contexts as examples for calibration; the targets are unknown and set to the boundary.
    pub fn examples(&self) -> Examples {
        let targets = vec![BOUNDARY; self.rows()];
        Examples { contexts: self.contexts.clone(), targets, block_size: self.block_size }
    }

    /// Runs a model over the contexts, character by character as on a chip.
    ///
    /// # Errors
    /// [`GoldenError::OtherModel`] if the file was made with another network.
    pub fn compare(&self, model: &Model<'_>) -> Result<Agreement, GoldenError> {
        self.compare_within(model, f64::INFINITY)
    }

    /// Compares as [`Golden::compare`] does. If a difference is above `limit`, but none is after a constant per context
    /// is subtracted, the result has the differences after the subtraction.
    ///
    /// # Errors
    /// [`GoldenError::OtherModel`] if the file was made with another network.
    ///
    /// # Panics
    /// Never: a heap state fits its model.
    pub fn compare_within(&self, model: &Model<'_>, limit: f64) -> Result<Agreement, GoldenError> {
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
        let (mut as_is, mut without) = (Differences::default(), Differences::default());
        let (mut dnll, mut agreed) = (0.0, 0_usize);
        for (row, (context, expected)) in self.contexts.chunks(self.block_size).zip(self.rows_of_logits()).enumerate() {
            stream.reset();
            context.iter().for_each(|&token| stream.push(token));
            let logits = stream.logits();
            let found: Vec<f64> =
                (0..logits.len()).map(|index| logits.get(index as Token).map_or(f64::NAN, f64::from)).collect();
            let deltas: Vec<f64> = expected.iter().zip(&found).map(|(expected, found)| expected - found).collect();
            // Half-way between the extremes is the constant that leaves the smallest maximum.
            let least = deltas.iter().copied().fold(f64::INFINITY, f64::min);
            let most = deltas.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            as_is.add(&deltas, 0.0);
            without.add(&deltas, f64::midpoint(least, most));
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
        let constant = as_is.max > limit && without.max <= limit;
        let differences = if constant { without } else { as_is };
        Ok(Agreement {
            max_abs_dlogit: differences.max,
            mean_abs_dlogit: differences.sum / self.logits.len() as f64,
            dnll: dnll / rows,
            top1: 100.0 * agreed as f64 / rows,
            constant,
        })
    }
}

/// Largest magnitude, and sum of magnitudes, of differences.
#[derive(Clone, Copy, Default)]
struct Differences {
    max: f64,
    sum: f64,
}

impl Differences {
    fn add(&mut self, deltas: &[f64], constant: f64) {
        for delta in deltas {
            let delta = (delta - constant).abs();
            self.max = self.max.max(delta);
            self.sum += delta;
        }
    }
}

/// Returns the rounding of logits that are stored in less than 32 bits, `None` for other types.
fn coarse(dtype: Dtype, logits: &[f64]) -> Option<Coarse> {
    // Half a unit in the last place: F16 has 11 bits of significand, BF16 has 8.
    let (dtype, half_unit) = match dtype {
        Dtype::F16 => ("F16", 2.0_f64.powi(-11)),
        Dtype::BF16 => ("BF16", 2.0_f64.powi(-8)),
        _ => return None,
    };
    let largest = logits.iter().fold(0.0_f64, |largest, logit| largest.max(logit.abs()));
    Some(Coarse { dtype, rounding: largest * half_unit })
}

/// Returns a tensor of two dimensions that is not empty, and its shape.
fn matrix<'f>(file: &SafeTensors<'f>, tensor: &'static str) -> Result<(usize, usize, TensorView<'f>), GoldenError> {
    let problem = |problem: String| GoldenError::Tensor { tensor, problem };
    let view = file.tensor(tensor).map_err(|_| problem("is missing".to_owned()))?;
    match *view.shape() {
        [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns, view)),
        _ => Err(problem(format!("has shape {:?}, must be [N, n]", view.shape()))),
    }
}

/// Returns the values of a tensor as tokens.
fn tokens(tensor: &'static str, view: &TensorView<'_>) -> Result<Vec<Token>, GoldenError> {
    if view.dtype() != Dtype::I64 {
        return Err(GoldenError::Tensor { tensor, problem: format!("is {:?}, must be I64", view.dtype()) });
    }
    let token = |&bytes: &[u8; 8]| {
        let index = i64::from_le_bytes(bytes);
        let problem = || format!("has the value {index}, which is not a token");
        Token::try_from(index).map_err(|_| GoldenError::Tensor { tensor, problem: problem() })
    };
    view.data().as_chunks::<8>().0.iter().map(token).collect()
}
