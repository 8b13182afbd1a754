//! A hierarchical (WaveNet-like) character model for microcontrollers: `no_std`, no heap, `unsafe` only in kernels.
//!
//! The model of the makemore lecture, part 5, reads the last `block_size` characters, fuses neighbours level by level,
//! and computes a logit for every possible next character. This crate defines its arithmetic and its file format
//! ([`format`]). The exporter, the firmware and the tests all call this code, so the same blob and the same seed draw
//! the same characters everywhere.
//!
//! ```text
//!  characters   .  .  .  e  m  m  a        Model      the blob, checked once, read in place from flash
//!  level 0       \/    \/    \/            State      the buffers: rings per level, input, logits
//!  level 1          \/    \/               Stream     Model + State: one character in, logits out
//!  level 2             \/                  Generator  Stream + sampler: words
//!  logits        for the next character
//! ```
//!
//! # Example
//!
//! ```
//! use runtime::{Generator, Model, Sampling, State, state_words};
//!
//! // On a chip: `static BLOB: &[u8] = runtime::include_blob!("names.blob");`
//! # #[cfg(feature = "f32")]
//! static BLOB: &[u8] = runtime::include_blob!("../../models/tiny.blob");
//! # #[cfg(not(feature = "f32"))]
//! # static BLOB: &[u8] = runtime::include_blob!("../../models/tiny.int8.blob");
//!
//! let model = Model::new(BLOB)?;
//! let mut state = State::<{ state_words(BLOB) }>::new();
//! let mut generator = Generator::new(&model, &mut state, Sampling::default(), 42)?;
//! let mut name = heapless::String::<32>::new();
//! generator.word("ma", &mut name)?;
//! assert!(name.starts_with("ma"));
//! # Ok::<(), runtime::Error>(())
//! ```

#![no_std]
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
pub use generator::{Characters, DEFAULT_MAX_LEN, End, Generator};
#[cfg(feature = "alloc")]
pub use model::HeapState;
pub use model::{Activations, COUNTER_WORDS, Logits, Model, Score, State, StateMut, Stream, state_words};
pub use sampling::Sampling;
pub use vocab::{BOUNDARY, Token, Vocab};
