//! Models that are part of a program: the loader checks them when the program is built, and they are ready when it
//! starts.
//!
//! A build script passes the blob to `source` (feature `alloc`), which opens the blob as [`crate::Model::new`] does and
//! returns Rust source of the result. The program includes that source, which calls `Model::built_in`. That function
//! only exists without the feature `std`: a program for a computer can load the blob instead.
//!
//! ```toml
//! [dependencies] # the precision and the layout of the blob
//! runtime = { version = "0.2", default-features = false, features = ["int8", "dual16"] }
//! [build-dependencies]
//! runtime = { version = "0.2", features = ["alloc"] }
//! ```
//!
//! ```ignore
//! // build.rs
//! let out = PathBuf::from(env::var("OUT_DIR")?);
//! let blob = fs::read("names.blob")?;
//! fs::write(out.join("model.blob"), &blob)?;
//! fs::write(out.join("model.rs"), runtime::built_in::source(&blob, "model.blob")?)?;
//!
//! // main.rs: `static MODEL: runtime::Model`, `const STATE_WORDS: usize`, and `static BLOB`, from which MODEL borrows
//! include!(concat!(env!("OUT_DIR"), "/model.rs"));
//! ```
//!
//! Such a program contains no loader, keeps no model in RAM and checks nothing when it starts: a blob that is refused
//! stops the build. Bits that flip in flash later are like bits that flip in the program's code:
//!
//! - in `BLOB`, which has all weights: [`is_intact`] finds them, and [`Model::self_test`](crate::Model::self_test)
//!   finds most of them, if the program calls either. Otherwise results are arbitrary, but no access is out of
//!   bounds and nothing panics.
//! - in `MODEL`, some hundred bytes with the sizes, the vocabulary and the self-test's checksum: nothing looks for
//!   them.
//!
//! On Cortex-M55 a loaded model keeps prepared data of each layer in RAM; a model that is built in computes that data
//! again for each character.

// Names that the source written by `source` uses.
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
