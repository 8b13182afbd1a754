//! The layers of the network, one per file, each a view of weights that lie in the blob.

#[cfg(feature = "f32")]
mod activation;
#[cfg(feature = "f32")]
mod embedding;
#[cfg(feature = "f32")]
mod linear;
#[cfg(feature = "int8")]
mod linear_int;

#[cfg(feature = "f32")]
pub use activation::activate_f32;
#[cfg(feature = "f32")]
pub use embedding::EmbeddingF32;
#[cfg(feature = "f32")]
pub use linear::LinearF32;
#[cfg(feature = "int8")]
pub use linear_int::LinearInt;
#[cfg(all(feature = "alloc", feature = "int8"))]
pub use linear_int::Unpacked;
#[cfg(feature = "int8")]
pub(crate) use linear_int::{Input, Stored, has_lowest};
