//! Events of a training, for the code that shows or keeps them.

use crate::io::write::WriteError;
use crate::model::file::FoldedModel;
use crate::train::statistics::{Activations, WeightStatistics};

/// Something that happens in a training.
pub enum Event<'a> {
    /// Before the first step.
    Start {
        /// A line per block with the shape of its output.
        shapes: &'a str,
        /// Parameters, BatchNorm's included.
        parameters: usize,
        /// Steps done before, by a training that this one continues.
        done: usize,
        /// Steps in all.
        steps: usize,
    },
    /// Some steps are done.
    Step {
        /// Steps done.
        step: usize,
        /// Learning rate of the last one.
        lr: f64,
        /// Training loss of each step since the last event.
        losses: &'a [f32],
    },
    /// Outputs, gradients and updates of one step.
    Statistics {
        /// Steps done.
        step: usize,
        /// Of every level, from the characters up.
        activations: &'a [Activations],
        /// Of every matrix.
        weights: &'a [WeightStatistics],
    },
    /// The dev loss was measured.
    Dev {
        /// Steps done.
        step: usize,
        /// In eval mode, nats per character.
        nll: f64,
        /// The same over as many examples of the train split.
        train_nll: f64,
        /// The model so far, folded; none for a network that cannot be.
        model: Option<&'a FoldedModel>,
    },
    /// The state was written down, or could not be.
    Checkpoint {
        /// Steps done.
        step: usize,
        /// How it went. The training goes on all the same.
        result: Result<(), WriteError>,
    },
}
