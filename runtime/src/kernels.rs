//! Matrix-vector products: the choice of a backend, and the order in which weights lie.
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
//! `RowMajor`: row after row, four-bit weights two to a byte; no core in mind, and the host's own. The others are packed for
//! the instructions of a core, and each has a module here that defines it. Integer sums are exact, so that every
//! layout gives the same bits on every core.
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
pub mod routine;

#[cfg(feature = "std")]
pub use self::host::weigh;
#[cfg(all(kernel = "mve", feature = "vector128"))]
pub use self::layout::vector128::{copy_i8, exchange_i8, gate_i8, pick, table_tanh_i8, weigh};
#[cfg(all(feature = "int8", kernel = "dsp"))]
pub use self::routine::dsp::gate_i8;
#[cfg(feature = "int8")]
pub use self::routine::portable::dot_i8;
#[cfg(all(feature = "int8", not(any(kernel = "dsp", all(kernel = "mve", feature = "vector128")))))]
pub use self::routine::portable::gate_i8;
#[cfg(all(feature = "int8", not(all(kernel = "mve", feature = "vector128"))))]
pub use self::routine::portable::{copy_i8, exchange_i8, table_tanh_i8};
#[cfg(feature = "int4")]
pub use self::routine::portable::{dot_i4, unpack_i4};
#[cfg(all(feature = "int8", not(all(kernel = "mve", feature = "vector128"))))]
pub use self::routine::softmax::pick;
#[cfg(all(feature = "int8", not(feature = "std"), not(all(kernel = "mve", feature = "vector128"))))]
pub use self::routine::softmax::weigh;
#[cfg(feature = "f32")]
pub use self::routine::vec_mat_f32;
use crate::rows::LANES;

/// Whether [`vec_mat_f32`] is assembly in this build; without it its definition in [`routine::portable`] has its name.
#[cfg(feature = "f32")]
pub const ASSEMBLY_F32: bool = cfg!(fpu);
/// Index of `weight[row][column]` in a matrix of `fan_in` columns in layout `Rows8`. For those who write one.
pub const fn rows8_index(row: usize, column: usize, fan_in: usize) -> usize {
    (row / LANES * fan_in + column) * LANES + row % LANES
}
