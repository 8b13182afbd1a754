//! Errors of a training.

use runtime::FormatError;

use crate::data::DataError;
use crate::model::file::FileError;
use crate::train::checkpoint::CheckpointError;

/// Reason why a training ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The words cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network is outside what the runtime supports.
    #[error("the network cannot be built: {0}")]
    Dimensions(#[from] FormatError),
    /// A setting is outside its limits.
    #[error("{0}")]
    Option(String),
    /// The loss is infinite or not a number.
    #[error("the training diverged (loss {loss} at step {step}): try a lower --lr than {lr}")]
    Diverged {
        /// Step of the loss.
        step: usize,
        /// The loss, in nats per character.
        loss: f64,
        /// The learning rate of the recipe.
        lr: f64,
    },
    /// libtorch reported an error.
    #[error("libtorch reported an error: {0}")]
    Torch(#[from] tch::TchError),
    /// The training cannot continue from its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The best model in the checkpoint cannot be read.
    #[error("the best model in the checkpoint cannot be read: {0}")]
    BestModel(#[from] FileError),
}
