//! Writes blobs: of a network, in another layout, and as Rust source that builds a model into a program.

mod built_in;
mod encode;
mod error;
mod relayout;

pub use self::built_in::source;
pub use self::encode::{Layers, LinearWeights, encode};
pub use self::error::EncodeError;
pub use self::relayout::{relayout, tabulate_halves, tabulate_pairs};
pub use crate::layers::IntegerLayer;
