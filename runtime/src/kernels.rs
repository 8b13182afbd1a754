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
mod body;
#[cfg(feature = "int8")]
pub mod dsp;
#[cfg(feature = "dual16")]
pub mod dual16;
#[cfg(feature = "std")]
pub mod host;
#[cfg(feature = "int8")]
pub mod insn;
#[cfg(feature = "lanes16")]
pub mod lanes16;
#[cfg(all(feature = "mem", target_arch = "arm", target_os = "none"))]
mod mem;
#[cfg(all(feature = "std", any(kernel = "neon", kernel = "x86")))]
mod methods;
#[cfg(all(feature = "std", kernel = "neon"))]
mod neon;
#[cfg(feature = "int8")]
pub mod packed;
pub mod portable;
#[cfg(feature = "vector128")]
pub mod vector128;
#[cfg(all(feature = "f32", fpu))]
mod vfp;
#[cfg(all(feature = "std", kernel = "x86"))]
mod x86;

#[cfg(all(feature = "int8", kernel = "dsp"))]
pub use dsp::gate_i8;
#[cfg(feature = "int8")]
pub use portable::dot_i8;
#[cfg(all(feature = "int8", not(any(kernel = "dsp", all(kernel = "mve", feature = "vector128")))))]
pub use portable::gate_i8;
#[cfg(all(feature = "f32", not(fpu)))]
pub use portable::vec_mat_f32;
#[cfg(all(feature = "int8", not(all(kernel = "mve", feature = "vector128"))))]
pub use portable::{copy_i8, exchange_i8, table_tanh_i8};
#[cfg(feature = "int4")]
pub use portable::{dot_i4, unpack_i4};
#[cfg(all(kernel = "mve", feature = "vector128"))]
pub use vector128::{copy_i8, exchange_i8, gate_i8, table_tanh_i8};
#[cfg(all(feature = "f32", fpu))]
pub use vfp::vec_mat_f32;

/// Whether [`vec_mat_f32`] is assembly in this build; without it its definition in [`portable`] has its name.
#[cfg(feature = "f32")]
pub const ASSEMBLY_F32: bool = cfg!(fpu);
/// Rows computed together.
pub const LANES: usize = 8;

/// `rows` rounded up to whole blocks.
pub const fn padded(rows: usize) -> usize {
    round_up(rows, LANES)
}

/// So many values from there; none where there are not as many.
#[cfg(feature = "int8")]
#[cfg_attr(kernel = "mve", inline(always))]
#[cfg_attr(not(kernel = "mve"), inline(never))]
pub(crate) fn part(values: &[i8], at: usize, len: usize) -> &[i8] {
    values.get(at..).and_then(|values| values.get(..len)).unwrap_or(&[])
}

/// A size rounded up to a multiple of a power of two, in two instructions. Sizes are far below 2^31 (see [`crate::config`]).
pub(crate) const fn round_up(size: usize, power_of_two: usize) -> usize {
    debug_assert!(power_of_two.is_power_of_two());
    size.wrapping_add(power_of_two - 1) & !(power_of_two - 1)
}

/// Index of `weight[row][column]` in a matrix of `fan_in` columns in layout `Rows8`. For those who write one.
pub const fn rows8_index(row: usize, column: usize, fan_in: usize) -> usize {
    (row / LANES * fan_in + column) * LANES + row % LANES
}
