//! The calls of the assembly: the functions of [`super::portable`], each a check of every length and then a call.
//!
//! The same for all cores, whose files define the same symbols, one core at a time.
#![allow(unsafe_code, reason = "the kernels are assembly")]

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;
#[cfg(kernel = "v6m")]
mod v6m;
#[cfg(kernel = "v7m")]
mod v7m;

use super::prepare::segment;

/// Computes whole blocks.
type Kernel =
    unsafe extern "C" fn(blocks: *const u32, prepared: *const u32, out: *mut i32, end: *const u32, out_end: *mut i32);

/// Calls a kernel.
///
/// # Safety
/// The slices belong together, as the kernel's `matches` function has it, and neither `prepared` nor `out` is empty.
#[inline]
unsafe fn call(kernel: Kernel, blocks: &[u32], prepared: &[u32], out: &mut [i32]) {
    let (prepared, out) = (prepared.as_ptr_range(), out.as_mut_ptr_range());
    // SAFETY: 1. the caller saw to whole groups, not none, and a slice is readable. 2. Likewise whole blocks' values,
    // and it is borrowed to be written. 3. The caller saw to it that `blocks` has the length that the two others ask
    // for.
    unsafe { kernel(blocks.as_ptr(), prepared.start, out.start, prepared.end, out.end) }
}

/// Prepares whole groups: values, their prepared words, end of the values.
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
            // SAFETY: 1. `segment` hands over whole groups only, and not none; a slice is readable. 2. Checked.
            unsafe { convert(x.start, prepared.as_mut_ptr(), x.end) }
        }
    });
}
