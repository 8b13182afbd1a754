//! What is done with any bytes, once, for cargo-fuzz and for the tests.

pub mod import;
pub mod network;
pub mod words;
