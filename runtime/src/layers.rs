//! The layers of the network, one per file, each a view of weights that lie in the blob.

mod activation;
mod embedding;
mod linear;

pub use activation::activate_f32;
pub use embedding::EmbeddingF32;
pub use linear::LinearF32;
