//! Single routines, for one row or one slice at a time, independent of the layout of the weights.
//!
//! [`portable`] defines all of them. A core with instructions for some of them has these in its own file.

#[cfg(feature = "int8")]
pub mod gate_dsp;
#[cfg(kernel = "mve")]
pub mod mve;
pub mod portable;
#[cfg(kernel = "rv32im")]
mod rv32im;
#[cfg(feature = "int8")]
pub mod softmax;
#[cfg(fpu)]
mod vfp;

/// Routines of a core with the DSP instructions.
#[cfg(kernel = "dsp")]
mod dsp {
    pub use super::gate_dsp::gate_i8;
    // The names above hide those of the definitions.
    pub use super::portable::*;
}

#[cfg(kernel = "dsp")]
use dsp as chosen;
#[cfg(kernel = "mve")]
use mve as chosen;
#[cfg(not(any(kernel = "dsp", kernel = "mve", kernel = "rv32im")))]
use portable as chosen;
#[cfg(kernel = "rv32im")]
use rv32im as chosen;

pub use chosen::*;
#[cfg(fpu)]
pub use vfp::vec_mat_f32;
