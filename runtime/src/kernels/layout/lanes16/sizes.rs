//! Sizes of blocks and of the prepared input, per width of the weights: what the layout and all its kernels know.

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;
