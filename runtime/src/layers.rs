//! The layers of the network, one per file. Each is a view of weights in the blob.

#[cfg(feature = "f32")]
mod activation;
#[cfg(feature = "f32")]
mod embedding;
#[cfg(feature = "f32")]
mod linear;
#[cfg(feature = "int8")]
mod linear_int;

#[cfg(feature = "f32")]
pub(crate) use self::{activation::activate_f32, embedding::EmbeddingF32, linear::LinearF32};
#[cfg(feature = "alloc")]
pub use linear_int::IntegerLayer;
#[cfg(feature = "int8")]
pub(crate) use linear_int::{Input, LinearInt, Stored, has_lowest};
