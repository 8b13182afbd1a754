//! Bodies of the fuzz targets. The targets of cargo-fuzz call them, and so does a test on the stable toolchain,
//! `runtime/tests/fuzz.rs`, which includes these files.
//!
//! ```text
//! load      bytes -> Model::new; repaired, loaded again   reads everything that a model says of itself
//! generate  settings, bytes -> Model::new, or a model that is invented from the bytes
//!                                                         64 steps, words, scores; all ways to compute them agree
//! mutate    bytes -> other bytes                          changes header and weights, corrects lengths and checksum
//! ```
//!
//! A body panics if it finds a mistake. Otherwise it returns what became of the input.

pub mod blob;
pub mod generate;
pub mod invent;
pub mod load;
pub mod mutate;
pub mod oracle;
