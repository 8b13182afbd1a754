//! Memory and work of a model on each core, for `inspect` and for programs without a standard library.
//!
//! [`Work::of`] has all figures that follow from the model itself. Three more steps lead to a speed:
//!
//! 1. Instructions per character: multiply each of the [`terms`] by its coefficient, and add all products. The
//!    coefficients are in `exporter/data/costs.json`, in the row of the precision and of the board that [`counted_on`]
//!    names. A term without a coefficient counts as zero.
//! 2. Cycles per character: [`Chip::cycles`], with `cycles_per_instruction` of the same row.
//! 3. Characters per second: the clock of the [`Chip`], divided by these cycles.
//!
//! ```
//! use costs::{Chip, Work, is_predicted};
//! use runtime::Model;
//! use runtime::format::{AlignedBlob, Core};
//!
//! let blob = AlignedBlob::from(&include_bytes!("../../../models/tiny.int8.blob")[..]);
//! let model = Model::new(blob.as_bytes())?;
//! assert!(is_predicted(Core::M4, model.precision()));
//! let work = Work::of(&model, blob.as_bytes().len(), Core::M4)?;
//! let chip = Chip::of(Core::M4).expect("a predicted core");
//! assert!((work.model_bytes as u64) < chip.flash_bytes && (work.state_bytes as u64) < chip.ram_bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![deny(missing_debug_implementations)]

extern crate alloc;

pub mod bytes;
pub mod chip;
mod cores;
pub mod terms;
mod work;

pub use chip::Chip;
pub use cores::{counted_on, is_predicted, predicted};
pub use terms::{Network, Terms};
pub use work::Work;
