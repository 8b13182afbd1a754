//! Trains a hierarchical character model, folds it, packs it for a microcontroller, evaluates and samples it.
//!
//! ```text
//! words.txt -> data -> train -> model::file (model.safetensors) -> model::pack (model.blob) -> runtime
//! ```
//!
//! The `runtime` crate has the arithmetic of the deployed model. [`measure`] and [`inference`] call it, so that the
//! reported loss is that of the model that ships.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod data;
pub mod import;
pub mod inference;
pub mod io;
pub mod measure;
pub mod model;
pub mod plot;
pub mod train;
