//! The algorithm in plain Rust: the definition of the assembly, which runs on cores without it.

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;
