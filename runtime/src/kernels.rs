//! Matrix-vector products and related routines, chosen for each core, and the order of the weights.
//!
//! | module | contents |
//! |---|---|
//! | `layout` | packed layouts of integer weights, each with kernels for the cores that it suits |
//! | [`routine`] | routines for one row or one slice, independent of the layout |
//! | `host` | kernels for the vector units of computers |
//!
//! # Layout `Rows8` (f32)
//!
//! Rows are in blocks of [`LANES`]. Within a block, the weights of one column are side by side. Zeros pad the rows to a
//! whole block.
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
//! `RowMajor` stores row after row, two 4-bit weights per byte; it suits hosts, and no chip in particular. The others
//! are packed for the instructions of a core: see `layout`. Integer sums are exact, so every layout has the same
//! results on every core.
//!
//! # Summation order (f32)
//!
//! Each row is its bias plus its products in ascending column order, one addition after the other. Each product is
//! rounded before it is added. The order is part of the format: it makes streaming equal to a whole window, and a chip
//! equal to the host, bit by bit. Interleaved rows keep the order while eight rows run side by side: no row needs a sum
//! across SIMD lanes.

#[cfg(feature = "std")]
pub mod host;
#[cfg(feature = "int8")]
pub mod layout;
#[cfg(feature = "int8")]
mod out;
pub mod routine;
#[cfg(kernel = "rv32im")]
mod rv32im;

// These names hide the routines of the same names.
#[cfg(feature = "std")]
pub use self::host::{activate_f32, gate_i8, vec_mat_f32, weigh};
#[cfg(feature = "int8")]
pub use self::out::Out;
pub use self::routine::*;
use crate::rows::LANES;

/// True if `vec_mat_f32` is assembly in this build; otherwise it is its definition in [`routine::portable`].
pub const ASSEMBLY_F32: bool = cfg!(fpu);

/// True if the routines for gates and for pairs of characters are assembly in this build.
pub const ASSEMBLY_ROUTINES: bool = cfg!(any(kernel = "mve", kernel = "rv32im"));

/// Returns the index of `weight[row][column]` in a matrix of `fan_in` columns in layout `Rows8`.
pub const fn rows8_index(row: usize, column: usize, fan_in: usize) -> usize {
    (row / LANES * fan_in + column) * LANES + row % LANES
}
