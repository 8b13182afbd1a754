//! Matrix-vector products and what surrounds them: the choice of the code for a core, and the order of the weights.
//!
//! | module | contents |
//! |---|---|
//! | `layout` | packed layouts of integer weights, each with the kernels of the cores that it is for |
//! | [`routine`] | routines for one row or one slice, whatever the layout |
//! | `host` | kernels for the vector units of computers |
//!
//! # Layout `Rows8` (f32)
//!
//! Rows are taken in blocks of [`LANES`]; within a block the weights of one column lie side by side. Rows are padded
//! with zeros to a whole block.
//!
//! ```text
//! weight[row][column] is at ((row / 8) * fan_in + column) * 8 + row % 8
//!
//! block 0: w[0][0] w[1][0] ... w[7][0]  w[0][1] w[1][1] ... w[7][1]  ...
//! block 1: w[8][0] w[9][0] ...
//! ```
//!
//! # Integer layouts
//!
//! `RowMajor`: row after row, four-bit weights two to a byte; for no core in particular, and for hosts. The others are packed
//! for the instructions of a core: `layout`. Integer sums are exact, so that every layout has the same results on every
//! core.
//!
//! # Summation order (f32)
//!
//! Each row is its bias plus its products in ascending column order, one addition after the other, each product
//! rounded before it is added. The order is part of the format: it makes streaming equal to the whole window, and a
//! chip equal to the host, bit by bit. Interleaved rows keep it while eight rows run side by side: a row never needs
//! a sum across SIMD lanes.

#[cfg(feature = "std")]
pub mod host;
#[cfg(feature = "int8")]
pub mod layout;
#[cfg(feature = "int8")]
mod out;
pub mod routine;

// These hide the routines of the same names.
#[cfg(feature = "std")]
pub use self::host::{activate_f32, gate_i8, vec_mat_f32, weigh};
#[cfg(feature = "int8")]
pub use self::out::Out;
pub use self::routine::*;
use crate::rows::LANES;

/// Whether `vec_mat_f32` is assembly in this build; otherwise it is its definition in [`routine::portable`].
pub const ASSEMBLY_F32: bool = cfg!(fpu);

/// Returns the index of `weight[row][column]` in a matrix of `fan_in` columns in layout `Rows8`.
pub const fn rows8_index(row: usize, column: usize, fan_in: usize) -> usize {
    (row / LANES * fan_in + column) * LANES + row % LANES
}
