//! Rows of 8-bit weights.

use super::super::prepare as prepare_parts;
use super::call;
use crate::activation::Curve;
use crate::kernels::Out;
use crate::kernels::layout::lanes16::sizes::int8::{PART, PART_WORDS, WORDS, matches};

unsafe extern "C" {
    /// # Safety
    /// 1. `prepared` to `end`: whole groups of prepared input, at least one, readable.
    /// 2. `out`: room for `rows` values, of one byte if there is a curve and of four otherwise, writable.
    /// 3. `rows`: those of whole blocks, at least one.
    /// 4. `blocks`: the same number of blocks, with the same number of columns, readable.
    /// 5. `curve`: null, or the 512 readable entries of a curve.
    fn runtime_lanes16_i8(
        blocks: *const u32,
        prepared: *const u32,
        out: *mut u8,
        end: *const u32,
        rows: usize,
        curve: *const i8,
    );

    /// # Safety
    /// 1. `x` to `end`: whole parts, at least one, readable.
    /// 2. `prepared`: room for the prepared words of the same parts, writable.
    fn runtime_lanes16_prepare_i8(x: *const i8, prepared: *mut u32, end: *const i8);
}

pub fn rows(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    run(blocks, prepared, Out::Rows(out));
}

pub fn rows_curve(blocks: &[u32], prepared: &[u32], _constant: i32, curve: &Curve, out: &mut [i8]) {
    run(blocks, prepared, Out::Curve(out, curve));
}

fn run(blocks: &[u32], prepared: &[u32], out: Out<'_>) {
    if out.len() != 0 && matches(blocks, prepared, out.len()) {
        // SAFETY: checked above; `matches` refuses empty input.
        unsafe { call(runtime_lanes16_i8, blocks, prepared, out) }
    }
}

#[inline(never)]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    // SAFETY: the numbers belong to this function.
    unsafe { prepare_parts::<PART, PART_WORDS>(x, prepared, WORDS, runtime_lanes16_prepare_i8) }
    0
}
