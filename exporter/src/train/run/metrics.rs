//! `metrics.jsonl`: a JSON object per line.

use std::path::Path;

use crate::train::event::Event;
use crate::train::statistics::{Activations, WeightStatistics};

/// A line.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Row {
    /// Training losses of the steps up to `step`.
    Loss {
        /// The last of them.
        step: usize,
        /// Its learning rate.
        lr: f64,
        /// One per step.
        losses: Vec<f32>,
    },
    /// What went through the network at one step.
    Statistics {
        /// The step.
        step: usize,
        /// Of every level, from the characters up.
        activations: Vec<Activations>,
        /// Of every matrix.
        weights: Vec<WeightStatistics>,
    },
    /// A measurement in eval mode.
    Dev {
        /// The step.
        step: usize,
        /// Of the dev split.
        nll: f64,
        /// Of as many examples of the train split.
        train_nll: f64,
    },
}

impl Row {
    /// What of an event is kept.
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

    /// The step it tells of, or the last one.
    pub fn step(&self) -> usize {
        match self {
            Self::Loss { step, .. } | Self::Statistics { step, .. } | Self::Dev { step, .. } => *step,
        }
    }

    /// Its line, with the line's end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("finite numbers") + "\n"
    }
}

/// All whole lines of a file. A last line that a crash cut short is left out.
///
/// # Errors
/// What the system says, or the first line but the last that is no row.
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
