//! From a PyTorch `state_dict` to a folded model.
//!
//! ```text
//! notebook.safetensors -> state_dict -> prepare -> names -> structure -> fold -> FoldedModel
//!                         checked,      tied       module   order, fuse   BatchNorm
//!                         as f64        weights    + part   factors       into Linear
//!                                                  alphabet: which row is which character
//! ```
//!
//! A `state_dict` has names and shapes and nothing else. The order of the layers follows from the names, the fuse
//! factors follow from the shapes. The activation and BatchNorm's eps are options, and the program prints the values
//! that it took. With a golden file nothing is assumed: [`readings`] lists all networks that the shapes allow, and the
//! logits choose one of them. A file that does not fit is refused: a wrong guess would be a model that runs and draws
//! nonsense.

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

/// What PyTorch adds to a variance unless told otherwise.
pub const DEFAULT_EPS: f64 = 1e-5;

/// What a `state_dict` does not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// How matrices are stored, where the shapes fit either way.
    pub orientation: Option<Orientation>,
    /// Modules with a matrix from the characters up, the embedding first, where names do not say it. Empty otherwise.
    pub order: Vec<String>,
    /// What BatchNorm adds to the variance.
    pub eps: f64,
    /// The function after every level and its BatchNorm. `None`: gated where the halves of gated units are recognised,
    /// otherwise tanh.
    pub activation: Option<Activation>,
}

impl Default for Options {
    fn default() -> Self {
        Self { orientation: None, order: Vec::new(), eps: DEFAULT_EPS, activation: None }
    }
}
