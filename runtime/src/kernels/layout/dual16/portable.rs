//! The algorithm in plain Rust: what the assembly must compute, and what runs on cores without it.

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;
