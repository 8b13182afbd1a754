//! The vector units of x86-64, a fenced file for each. See [`super::host`] for what the kernels compute.

pub mod avx2;
pub mod avx512;
