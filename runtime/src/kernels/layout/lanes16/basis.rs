//! Bases: the multiplicands that a kernel makes of a word of weights, and the coefficients by which it multiplies them.
//! A core has one of the two; the blocks are the same. The equations are in [`super`].

#[cfg(any(test, kernel = "rv32im"))]
pub mod masked;
#[cfg(any(test, not(kernel = "rv32im")))]
pub mod swapped;

#[cfg(kernel = "rv32im")]
pub use masked::Masked as Chosen;
#[cfg(not(kernel = "rv32im"))]
pub use swapped::Swapped as Chosen;

/// Basis for both widths of the weights.
pub trait Basis {
    /// Returns the coefficients of two columns, for 8-bit weights.
    fn pair(x: [i32; 2]) -> [u32; 2];

    /// Returns the sums of both lanes of a word of two columns, with the offset of the weights.
    fn sum_pair(coefficients: [u32; 2], word: u32) -> u32;

    /// Returns the coefficients of four columns, for 4-bit weights.
    #[cfg(feature = "int4")]
    fn quad(x: [i32; 4]) -> [u32; 4];

    /// Returns the sums of both lanes of a word of four columns, with the offset of the weights.
    #[cfg(feature = "int4")]
    fn sum_quad(coefficients: [u32; 4], word: u32) -> u32;
}
