//! The definition of each routine, in safe Rust: what every tuned routine must compute, bit by bit.

#[cfg(feature = "f32")]
mod float;
#[cfg(feature = "int8")]
mod integer;

#[cfg(feature = "f32")]
pub use float::*;
#[cfg(feature = "int8")]
pub use integer::*;
