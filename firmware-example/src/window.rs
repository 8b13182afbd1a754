//! A mark around the work a program is measured by, for those who follow it instruction by instruction:
//! `cargo xtask bench` reads in the emulator's trace where [`begin`] and [`end`] are called.

use core::hint::black_box;

/// Does the work between the two marks.
pub fn of<T>(work: impl FnOnce() -> T) -> T {
    begin();
    let result = work();
    end();
    result
}

// What they hide from the compiler differs: it would make one function of two that do the same.

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
