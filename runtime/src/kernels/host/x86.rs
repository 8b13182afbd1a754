//! The vector units of x86-64, each in a file that fences its `unsafe` code. [`super::host`] defines what the kernels
//! compute.

pub mod avx2;
pub mod avx512;
