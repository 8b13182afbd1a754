//! What differs from board to board: a feature, a memory map (`memory/<board>.x`) and a file here, each.
//!
//! All offer the same: [`NAME`], and a [`Stopwatch`] for the work a program does. The build script sees to it that
//! exactly one board is chosen.

#[cfg(feature = "mps2-an505")]
mod an505;
#[cfg(feature = "mps3-an547")]
mod an547;
#[cfg(feature = "microbit")]
mod microbit;
#[cfg(any(feature = "mps2-an385", feature = "mps2-an386", feature = "mps2-an500"))]
mod mps2;
mod systick;

#[cfg(feature = "mps2-an505")]
pub use an505::Stopwatch;
#[cfg(feature = "mps3-an547")]
pub use an547::Stopwatch;
#[cfg(feature = "microbit")]
pub use microbit::Stopwatch;
#[cfg(any(feature = "mps2-an385", feature = "mps2-an386", feature = "mps2-an500"))]
pub use mps2::Stopwatch;

/// The board's name, which is that of its feature.
pub const NAME: &str = env!("BOARD");
