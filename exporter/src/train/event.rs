//! Events of a training, for the code that shows or records them.

use crate::io::write::WriteError;
use crate::model::file::FoldedModel;
use crate::train::statistics::{Activations, WeightStatistics};

/// Event of a training.
pub enum Event<'a> {
    /// The training is about to start.
    Start {
        /// One line per block, with the shape of its output.
        shapes: &'a str,
        /// Number of parameters, BatchNorm's included.
        parameters: usize,
        /// Number of steps that the continued training has already done.
        done: usize,
        /// Total number of steps.
        steps: usize,
    },
    /// Some steps were done.
    Step {
        /// Steps done.
        step: usize,
        /// Learning rate of the last step.
        lr: f64,
        /// Training loss of each step since the last event.
        losses: &'a [f32],
    },
    /// Statistics of outputs, gradients and updates were taken at one step.
    Statistics {
        /// Steps done.
        step: usize,
        /// Outputs of every level, from the characters up.
        activations: &'a [Activations],
        /// Gradients and updates of every weight matrix.
        weights: &'a [WeightStatistics],
    },
    /// The dev loss was measured.
    Dev {
        /// Steps done.
        step: usize,
        /// Loss of the dev split in eval mode, in nats per character.
        nll: f64,
        /// Loss of the same number of examples of the train split.
        train_nll: f64,
        /// The folded model so far; `None` if the network cannot be folded.
        model: Option<&'a FoldedModel>,
    },
    /// A checkpoint was written, or could not be.
    Checkpoint {
        /// Steps done.
        step: usize,
        /// Result of the write. The training also continues after an error.
        result: Result<(), WriteError>,
    },
}
