//! Single routines: one row or one slice at a time, whatever the layout of the weights.
//!
//! [`portable`] defines each of them. A core with instructions for one has it in a file of its own.

#[cfg(feature = "int8")]
pub mod dsp;
pub mod portable;
#[cfg(feature = "int8")]
pub mod softmax;
#[cfg(all(feature = "f32", fpu))]
mod vfp;

#[cfg(all(feature = "f32", not(fpu)))]
pub use self::portable::vec_mat_f32;
#[cfg(all(feature = "f32", fpu))]
pub use self::vfp::vec_mat_f32;
