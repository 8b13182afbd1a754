//! Marks around the measured work: `cargo xtask bench` finds the calls of [`begin`] and [`end`] in the emulator's
//! trace, and counts the instructions between them.

use core::hint::black_box;

/// Does the work between the two marks.
pub fn around<T>(work: impl FnOnce() -> T) -> T {
    begin();
    let result = work();
    end();
    result
}

// The two numbers must differ: the compiler would merge functions that do the same.

/// Marks the beginning of the work.
#[inline(never)]
fn begin() {
    black_box(1);
}

/// Marks the end of the work.
#[inline(never)]
fn end() {
    black_box(2);
}
