//! Marks around the work that is measured: `cargo xtask bench` finds the calls of [`begin`] and [`end`] in the
//! emulator's trace, and counts the instructions between them.

use core::hint::black_box;

/// Does the work between the two marks.
pub fn around<T>(work: impl FnOnce() -> T) -> T {
    begin();
    let result = work();
    end();
    result
}

// The two numbers differ: the compiler would merge two functions that do the same.

/// The work begins.
#[inline(never)]
fn begin() {
    black_box(1);
}

/// The work is done.
#[inline(never)]
fn end() {
    black_box(2);
}
