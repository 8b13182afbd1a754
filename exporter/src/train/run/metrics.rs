//! `metrics.jsonl`: one JSON object per line.

use std::path::Path;

use crate::train::event::Event;
use crate::train::statistics::{Activations, WeightStatistics};

/// Line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Row {
    /// Training losses of the steps up to `step`.
    Loss {
        /// Last of these steps.
        step: usize,
        /// Learning rate of the last step.
        lr: f64,
        /// Losses, one per step.
        losses: Vec<f32>,
    },
    /// Statistics of one step.
    Statistics {
        /// The step.
        step: usize,
        /// Outputs of every level, from the characters up.
        activations: Vec<Activations>,
        /// Gradients and updates of every weight matrix.
        weights: Vec<WeightStatistics>,
    },
    /// Measurement in eval mode.
    Dev {
        /// The step.
        step: usize,
        /// Loss of the dev split.
        nll: f64,
        /// Loss of the same number of examples of the train split.
        train_nll: f64,
    },
}

impl Row {
    /// Returns the line for an event; `None` if the event is not recorded.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        match event {
            Event::Step { step, lr, losses } => Some(Self::Loss { step: *step, lr: *lr, losses: losses.to_vec() }),
            Event::Statistics { step, activations, weights } => {
                Some(Self::Statistics { step: *step, activations: activations.to_vec(), weights: weights.to_vec() })
            }
            Event::Dev { step, nll, train_nll, .. } => {
                Some(Self::Dev { step: *step, nll: *nll, train_nll: *train_nll })
            }
            Event::Start { .. } | Event::Checkpoint { .. } => None,
        }
    }

    /// Returns the line's step, or its last step.
    pub fn step(&self) -> usize {
        match self {
            Self::Loss { step, .. } | Self::Statistics { step, .. } | Self::Dev { step, .. } => *step,
        }
    }

    /// Returns the text of the line, with its newline.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("finite numbers") + "\n"
    }
}

/// Reads all complete lines of a file. Leaves out the last line if a crash cut it short.
///
/// # Errors
/// Error of the system, or the number and the fault of a line before the last one that cannot be read.
pub fn read(path: &Path) -> std::io::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path)?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(row) => rows.push(row),
            Err(_) if number + 1 == text.lines().count() => {}
            Err(error) => return Err(std::io::Error::other(format!("line {}: {error}", number + 1))),
        }
    }
    Ok(rows)
}
