// README.md links to files. Here, where the first definition of a link counts, they are the modules that have their text.
//! [FORMAT.md]: mod@format
//! [QUANTIZATION.md]: mod@quant
#![doc = include_str!("../README.md")]
#![no_std]
// The documentation site compiles with a nightly toolchain, and shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_debug_implementations)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!("the blob is little-endian and read in place: big-endian targets are not supported");

#[cfg(target_pointer_width = "16")]
compile_error!("models are larger than a 16-bit address space: 32-bit targets or wider are needed");

#[cfg(not(any(feature = "f32", feature = "int8", feature = "int4")))]
compile_error!("without a precision there is nothing to run: enable f32, int8 or int4");

#[cfg(all(test, not(feature = "std")))]
compile_error!("the tests need the standard library: cargo test --features std");

#[cfg(feature = "std")]
pub mod batch;
pub mod built_in;
pub mod format;
pub mod limits;
pub mod quant;
#[cfg(feature = "alloc")]
pub mod write;

// Used by the other crates of this workspace. These modules change from version to version without notice.
#[doc(hidden)]
pub mod activation;
mod cache;
#[doc(hidden)]
pub mod config;
mod error;
mod generator;
#[doc(hidden)]
pub mod insn;
#[doc(hidden)]
pub mod kernels;
mod layers;
#[doc(hidden)]
pub mod math;
mod model;
#[doc(hidden)]
pub mod rows;
#[doc(hidden)]
pub mod sampling;
mod table;
mod vocab;

pub use activation::Activation;
pub use config::{Config, Level};
pub use error::{Error, FormatError, PromptError, SelfTestError, StateError};
pub use format::{Aligned, Provenance};
pub use generator::{Characters, DEFAULT_MAX_LEN, End, Generator, Text};
#[cfg(feature = "alloc")]
pub use model::HeapState;
pub use model::{Activations, COUNTER_WORDS, Logits, Model, Score, State, StateMut, Stream, state_words};
pub use sampling::Sampling;
pub use vocab::{BOUNDARY, Token, Vocab};
