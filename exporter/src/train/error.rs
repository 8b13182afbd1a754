//! Why a training ended without a model.

use runtime::FormatError;

use crate::data::DataError;
use crate::model::file::FileError;
use crate::train::checkpoint::CheckpointError;

/// Why a training ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The words cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network is outside what the runtime supports.
    #[error("the network cannot be built: {0}")]
    Dimensions(#[from] FormatError),
    /// A setting makes no sense.
    #[error("{0}")]
    Option(String),
    /// The loss is infinite or not a number.
    #[error("the loss is {loss} at step {step}: the training has diverged, try a lower --lr than {lr}")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
        /// The learning rate of the recipe.
        lr: f64,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// The training cannot go on from its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The best model in the checkpoint cannot be read.
    #[error("the best model in the checkpoint: {0}")]
    BestModel(#[from] FileError),
}
