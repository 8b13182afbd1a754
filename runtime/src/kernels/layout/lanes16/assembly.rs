//! Calls of the assembly. They have the functions of [`super::portable`]; each checks every length, then calls.
//!
//! They are the same for all Cortex-M: each core's file defines the same symbols, and a build includes only one of the
//! files. `rv32im` has its own calls, because its kernels look up the curve.
#![allow(unsafe_code, reason = "the kernels are assembly")]

#[cfg(all(feature = "int4", not(kernel = "rv32im")))]
pub mod int4;
#[cfg(not(kernel = "rv32im"))]
pub mod int8;
#[cfg(kernel = "rv32im")]
mod rv32im;
#[cfg(kernel = "v6m")]
mod v6m;
#[cfg(kernel = "v7m")]
mod v7m;

#[cfg(all(feature = "int4", kernel = "rv32im"))]
pub use rv32im::int4;
#[cfg(kernel = "rv32im")]
pub use rv32im::int8;

use super::prepare::segment;

/// Function that computes whole blocks.
#[cfg(not(kernel = "rv32im"))]
type Kernel =
    unsafe extern "C" fn(blocks: *const u32, prepared: *const u32, out: *mut i32, end: *const u32, out_end: *mut i32);

/// Calls a kernel.
///
/// # Safety
/// The slices match according to the kernel's `matches` function, and neither `prepared` nor `out` is empty.
#[cfg(not(kernel = "rv32im"))]
#[inline]
unsafe fn call(kernel: Kernel, blocks: &[u32], prepared: &[u32], out: &mut [i32]) {
    let (prepared, out) = (prepared.as_ptr_range(), out.as_mut_ptr_range());
    // SAFETY: 1. the caller ensured whole groups, at least one, and a slice is readable. 2. Likewise the values of
    // whole blocks, and `out` is borrowed mutably. 3. The caller ensured that `blocks` has the length that matches the
    // other two.
    unsafe { kernel(blocks.as_ptr(), prepared.start, out.start, prepared.end, out.end) }
}

/// Function that prepares whole groups: arguments are the values, their prepared words, and the end of the values.
type Convert = unsafe extern "C" fn(x: *const i8, prepared: *mut u32, end: *const i8);

/// Prepares a position.
///
/// # Safety
/// `convert` prepares groups of `GROUP` values into `WORDS` words each.
#[inline]
unsafe fn prepare<const GROUP: usize, const WORDS: usize>(
    x: &[i8],
    prepared: &mut [u32],
    most: usize,
    convert: Convert,
) {
    segment::<GROUP, WORDS>(x, prepared, most, |x, prepared| {
        let (groups, x) = (x.len() / GROUP, x.as_ptr_range());
        if groups != 0 && prepared.len() == groups * WORDS {
            // SAFETY: 1. `segment` passes whole groups only, and at least one; a slice is readable. 2. Checked.
            unsafe { convert(x.start, prepared.as_mut_ptr(), x.end) }
        }
    });
}
