//! What differs from board to board.

mod qemu_mps2;

pub use qemu_mps2::Stopwatch;
