//! What is done with any bytes, once: the targets of cargo-fuzz call it, and so does a test on the stable toolchain
//! (`runtime/tests/fuzz.rs`, which takes these files in as they are).
//!
//! ```text
//! load      bytes -> Model::new, repaired and loaded again     everything a model says of itself
//! generate  settings, bytes -> Model::new, or a model invented from them
//!                                                              64 steps, words, scores; every way of computing them agrees
//! mutate    bytes -> other bytes                               header and weights changed, lengths and checksum made right
//! ```
//!
//! A body panics where something is wrong, and else tells what came of it.

pub mod blob;
pub mod generate;
pub mod invent;
pub mod load;
pub mod mutate;
pub mod oracle;
