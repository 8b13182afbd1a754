//! Rows of 4-bit weights.

use super::{fitting, parts};
use crate::activation::Curve;
use crate::kernels::Out;
use crate::kernels::layout::dual16::portable::int4 as portable;
use crate::kernels::layout::dual16::sizes::int4::{GROUP, PART_WORDS, ROWS, block_words};

unsafe extern "C" {
    /// # Safety
    /// Same as `dual16_rows_i8`: blocks of `2 + 4 n + 2` words with `n` groups of 16 columns, `8 n` words of `x`, room
    /// for two words or bytes per block in `out`.
    unsafe fn dual16_rows_i4(
        blocks: *const u32,
        x: *const u32,
        x_end: *const u32,
        blocks_end: *const u32,
        constant: i32,
        out: *mut u8,
        curve: *const i8,
    );

    /// # Safety
    /// Same as `dual16_prepare_i8`, with multiples of 16 bytes.
    unsafe fn dual16_prepare_i4(x: *const i8, x_end: *const i8, prepared: *mut u32) -> i32;
}

/// Computes all rows: as words, or as the curve's entries in bytes.
#[inline(never)]
fn run(blocks: &[u32], prepared: &[u32], constant: i32, out: Out<'_>) {
    let block_words = block_words(prepared.len() / PART_WORDS * GROUP);
    let (out, len, curve) = parts(out);
    if let Some(blocks) = fitting(blocks, block_words, prepared.len(), PART_WORDS, len, ROWS) {
        let (x, blocks) = (prepared.as_ptr_range(), blocks.as_ptr_range());
        // SAFETY: `fitting` has checked that the blocks are whole blocks for this many groups, that there is at least
        // one of each, and that there are two outputs per block. An output is a word without a curve, and a byte with
        // one, which has 512 entries.
        unsafe { dual16_rows_i4(blocks.start, x.start, x.end, blocks.end, constant, out, curve) }
    }
}

pub fn rows(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
    run(blocks, prepared, constant, Out::Rows(out));
}

pub fn rows_curve(blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]) {
    run(blocks, prepared, constant, Out::Curve(out, curve));
}

pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    let count = x.len() / GROUP;
    let (Some((groups, rest)), Some((to, behind))) =
        (x.split_at_checked(count * GROUP), prepared.split_at_mut_checked(count * PART_WORDS))
    else {
        return 0;
    };
    let mut constant = 0;
    if !groups.is_empty() {
        let x = groups.as_ptr_range();
        // SAFETY: whole groups, at least one; `to` has eight words for each group of 16 bytes.
        constant = unsafe { dual16_prepare_i4(x.start, x.end, to.as_mut_ptr()) };
        // Twelve activations of a group are counted, each with an offset of 128.
        constant = constant.wrapping_add((16_i32 * 8 * 128 * 12).wrapping_mul(count as i32));
    }
    if rest.is_empty() { constant } else { constant.wrapping_add(portable::prepare(rest, behind)) }
}
