//! What differs from board to board: a feature, a memory map (`memory/<board>.x`) and a file here, each.
//!
//! All offer the same: [`NAME`], and a [`Stopwatch`] for the work a program does. The build script sees to it that
//! exactly one board is chosen.

#[cfg(feature = "microbit")]
mod microbit;
#[cfg(any(feature = "mps2-an385", feature = "mps2-an386"))]
mod mps2;
mod systick;

#[cfg(feature = "microbit")]
pub use microbit::Stopwatch;
#[cfg(any(feature = "mps2-an385", feature = "mps2-an386"))]
pub use mps2::Stopwatch;

/// The board's name, which is that of its feature.
pub const NAME: &str = env!("BOARD");
