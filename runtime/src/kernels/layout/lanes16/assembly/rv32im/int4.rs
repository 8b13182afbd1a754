//! Rows of 4-bit weights.

use super::super::prepare as prepare_parts;
use super::call;
use crate::activation::Curve;
use crate::kernels::Out;
use crate::kernels::layout::lanes16::sizes::int4::{PART, PART_WORDS, WORDS, matches};

unsafe extern "C" {
    /// # Safety
    /// Same as `runtime_lanes16_i8`.
    fn runtime_lanes16_i4(
        blocks: *const u32,
        prepared: *const u32,
        out: *mut u8,
        end: *const u32,
        rows: usize,
        curve: *const i8,
    );

    /// # Safety
    /// Same as `runtime_lanes16_prepare_i8`.
    fn runtime_lanes16_prepare_i4(x: *const i8, prepared: *mut u32, end: *const i8);
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
        unsafe { call(runtime_lanes16_i4, blocks, prepared, out) }
    }
}

#[inline(never)]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    // SAFETY: the numbers belong to this function.
    unsafe { prepare_parts::<PART, PART_WORDS>(x, prepared, WORDS, runtime_lanes16_prepare_i4) }
    0
}
