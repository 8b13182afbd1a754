//! Definition of each routine in safe Rust. Every tuned routine must have the same results, bit by bit.

#[cfg(feature = "f32")]
mod float;
#[cfg(feature = "int8")]
mod integer;

#[cfg(feature = "f32")]
pub use float::*;
#[cfg(feature = "int8")]
pub use integer::*;
