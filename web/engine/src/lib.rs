//! The runtime as a WebAssembly module: a model is loaded, draws words, and shows the values of its nodes.
//!
//! An instance of the module runs one model; a page makes another instance for another model. So the model may borrow
//! its bytes for ever. `exports` has the functions for JavaScript, which call [`Run`].
// On a host, for the tests and lints, it has the standard library.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod exports;
mod facts;
mod run;
mod works;

pub use facts::{Facts, LevelFacts};
pub use run::{Refused, Run};
pub use works::Work;
