//! Rows of 8-bit weights.

use super::call;
use crate::activation::Curve;
use crate::kernels::layout::lanes16::each_entry;
use crate::kernels::layout::lanes16::sizes::int8::{PART, PART_WORDS, WORDS, block_words_for, matches};

unsafe extern "C" {
    /// # Safety
    /// 1. `prepared` to `end`: whole groups of prepared input, at least one, readable.
    /// 2. `out` to `out_end`: the rows of whole blocks, at least one, writable.
    /// 3. `blocks`: the same number of blocks, with the same number of columns, readable.
    fn runtime_lanes16_i8(blocks: *const u32, prepared: *const u32, out: *mut i32, end: *const u32, out_end: *mut i32);

    /// # Safety
    /// 1. `x` to `end`: whole parts, at least one, readable.
    /// 2. `prepared`: room for the prepared words of the same parts, writable.
    fn runtime_lanes16_prepare_i8(x: *const i8, prepared: *mut u32, end: *const i8);
}

pub fn rows(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    if !out.is_empty() && matches(blocks, prepared, out.len()) {
        // SAFETY: checked above; `matches` refuses empty input.
        unsafe { call(runtime_lanes16_i8, blocks, prepared, out) }
    }
}

pub fn rows_curve(blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]) {
    let words = block_words_for(prepared.len());
    each_entry(blocks, words, curve, out, |blocks, out| rows(blocks, prepared, constant, out));
}

#[inline(never)]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    // SAFETY: the numbers belong to this function.
    unsafe { super::prepare::<PART, PART_WORDS>(x, prepared, WORDS, runtime_lanes16_prepare_i8) }
    0
}
