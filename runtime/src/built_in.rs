//! A model that is part of a program: checked when the program is built, by the loader itself, and ready when it starts.
//!
//! A build script gives the blob to `source` (feature `alloc`), which opens it as [`crate::Model::new`] does and writes down what that
//! finds. The program includes what it wrote. `Model::built_in`, which that calls, exists without the feature `std` only: what a
//! program for a computer has in memory can as well be loaded.
//!
//! ```toml
//! [dependencies] # the precision and the layout of the blob
//! runtime = { version = "0.1", default-features = false, features = ["int8", "dual16"] }
//! [build-dependencies]
//! runtime = { version = "0.1", features = ["alloc"] }
//! ```
//!
//! ```ignore
//! // build.rs
//! let out = PathBuf::from(env::var("OUT_DIR")?);
//! let blob = fs::read("names.blob")?;
//! fs::write(out.join("model.blob"), &blob)?;
//! fs::write(out.join("model.rs"), runtime::built_in::source(&blob, "model.blob")?)?;
//!
//! // main.rs: `static MODEL: runtime::Model`, `const STATE_WORDS: usize`, and `static BLOB`, of which the model is a view
//! include!(concat!(env!("OUT_DIR"), "/model.rs"));
//! ```
//!
//! No loader is in such a program, no model in its RAM, and no check in its start-up: a blob that is refused stops the build. Bits
//! that flip in flash later are as in the program's own code: those in `BLOB` (all weights) are found by [`is_intact`], or most
//! of them by [`Model::self_test`](crate::Model::self_test), where the program asks for it, and give arbitrary results where it does
//! not, but no access out of bounds and no panic. Those in `MODEL`, some hundred bytes of sizes, alphabet and self-test, are not
//! looked for.
//!
//! On Cortex-M55 a loaded model keeps more of each layer in RAM, which one that is built in finds anew for each character.

// The names that `source` writes.
#[doc(hidden)]
pub use crate::activation::Activation;
#[doc(hidden)]
pub use crate::config::Level;
#[doc(hidden)]
pub use crate::config::StateLayout;
#[doc(hidden)]
pub use crate::format::{Layout, Precision, WeightFormat};
#[doc(hidden)]
pub use crate::model::built_in::Parts;
pub use crate::model::built_in::{is_intact, words};
#[cfg(feature = "alloc")]
pub use crate::write::source;
