//! Import of a PyTorch `state_dict` as a folded model.
//!
//! ```text
//! notebook.safetensors -> state_dict -> prepare -> names -> structure -> fold -> FoldedModel
//!                         checked,      tied       module   order,        BatchNorm
//!                         as f64        weights    + part   fuses         into Linear
//!                                                  alphabet: the character of each row
//! ```
//!
//! A `state_dict` only has names and shapes. The order of the layers follows from the names, the fuses follow from the
//! shapes. The activation and BatchNorm's eps are options, and the program prints the values that it assumes. With a
//! golden file, nothing is assumed: [`readings`] lists all networks that the shapes allow, and the logits choose one of
//! them. A file that does not fit is an error: a wrong guess would be a model that runs and draws nonsense.

pub mod alphabet;
mod error;
mod fold;
pub mod names;
mod prepare;
pub mod state_dict;
pub mod structure;

use runtime::Activation;

pub use alphabet::{Alphabet, Rows};
pub use error::ImportError;
pub use fold::{fold, fold_alphabet};
pub use state_dict::StateDict;
pub use structure::{Layer, Norm, Orientation, Structure, readings, understand};

/// Constant that PyTorch's BatchNorm adds to a variance by default.
pub const DEFAULT_EPS: f64 = 1e-5;

/// Facts about a network that its `state_dict` does not contain.
#[derive(Clone, Debug)]
pub struct Options {
    /// Storage of the matrices, if the shapes fit both ways.
    pub orientation: Option<Orientation>,
    /// Modules with a matrix from the characters up, the embedding first. Empty if their names say the order.
    pub order: Vec<String>,
    /// Constant that BatchNorm adds to the variance.
    pub eps: f64,
    /// Function after every level and its BatchNorm. With `None`, it is gated if the halves of gated units are
    /// recognised, otherwise tanh.
    pub activation: Option<Activation>,
}

impl Default for Options {
    fn default() -> Self {
        Self { orientation: None, order: Vec::new(), eps: DEFAULT_EPS, activation: None }
    }
}
