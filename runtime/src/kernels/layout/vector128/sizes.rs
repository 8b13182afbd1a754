//! Sizes of blocks and of the prepared input, per width of the weights, which the layout and all its kernels share.

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;
