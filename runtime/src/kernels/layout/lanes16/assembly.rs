//! What surrounds the assembly: the functions of [`super::portable`], each a check of every length and then a call.
//!
//! The same for all cores, whose files define the same symbols, one core at a time.
#![allow(unsafe_code, reason = "the kernels are assembly")]

use super::prepare::segment;
#[cfg(feature = "int4")]
use super::{COLUMNS_I4, WORDS_I4, matches_i4};
use super::{PART_I8, PART_WORDS_I8, WORDS_I8, matches_i8};

#[cfg(kernel = "v6m")]
mod v6m;
#[cfg(kernel = "v7m")]
mod v7m;

/// What computes whole blocks.
type Kernel =
    unsafe extern "C" fn(blocks: *const u32, prepared: *const u32, out: *mut i32, end: *const u32, out_end: *mut i32);

unsafe extern "C" {
    /// # Safety
    /// 1. `prepared` to `end`: whole groups of prepared input, at least one, readable.
    /// 2. `out` to `out_end`: [`super::ROWS_I8`] values per block, of at least one block, writable.
    /// 3. `blocks`: as many blocks of as many columns, readable.
    fn runtime_lanes16_i8(blocks: *const u32, prepared: *const u32, out: *mut i32, end: *const u32, out_end: *mut i32);

    /// # Safety
    /// As for the one above.
    #[cfg(feature = "int4")]
    fn runtime_lanes16_i4(blocks: *const u32, prepared: *const u32, out: *mut i32, end: *const u32, out_end: *mut i32);
}

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

/// [`super::portable::rows_i8`].
pub fn rows_i8(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    if !out.is_empty() && matches_i8(blocks, prepared, out) {
        // SAFETY: checked above; `matches_i8` refuses empty input.
        unsafe { call(runtime_lanes16_i8, blocks, prepared, out) }
    }
}

/// [`super::portable::rows_i4`].
#[cfg(feature = "int4")]
pub fn rows_i4(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    if !out.is_empty() && matches_i4(blocks, prepared, out) {
        // SAFETY: checked above; `matches_i4` refuses empty input.
        unsafe { call(runtime_lanes16_i4, blocks, prepared, out) }
    }
}

/// What prepares whole groups: values, their prepared words, end of the values.
type Convert = unsafe extern "C" fn(x: *const i8, prepared: *mut u32, end: *const i8);

unsafe extern "C" {
    /// # Safety
    /// 1. `x` to `end`: whole groups of values, at least one, readable.
    /// 2. `prepared`: the prepared words of as many groups, writable.
    fn runtime_lanes16_prepare_i8(x: *const i8, prepared: *mut u32, end: *const i8);

    /// # Safety
    /// As for the one above.
    #[cfg(feature = "int4")]
    fn runtime_lanes16_prepare_i4(x: *const i8, prepared: *mut u32, end: *const i8);
}

/// The whole groups of a segment.
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

/// [`super::portable::prepare_i8`].
#[inline(never)]
pub fn prepare_i8(x: &[i8], prepared: &mut [u32]) -> i32 {
    // SAFETY: these are its numbers.
    unsafe { prepare::<PART_I8, PART_WORDS_I8>(x, prepared, WORDS_I8, runtime_lanes16_prepare_i8) }
    0
}

/// [`super::portable::prepare_i4`].
#[cfg(feature = "int4")]
#[inline(never)]
pub fn prepare_i4(x: &[i8], prepared: &mut [u32]) -> i32 {
    // SAFETY: these are its numbers.
    unsafe { prepare::<COLUMNS_I4, WORDS_I4>(x, prepared, WORDS_I4, runtime_lanes16_prepare_i4) }
    0
}
