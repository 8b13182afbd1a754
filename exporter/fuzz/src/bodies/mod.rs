//! Bodies of the fuzz targets, shared by cargo-fuzz and the tests.

pub mod import;
pub mod network;
pub mod words;
