//! Rows of 8-bit weights.

use super::{fitting, parts};
use crate::activation::Curve;
use crate::kernels::Out;
use crate::kernels::layout::dual16::sizes::int8::{GROUP, PART_WORDS, ROWS, block_words};

unsafe extern "C" {
    /// # Safety
    /// `blocks..blocks_end` is at least one whole block of `4 + 2 n + 4` words, with `n` groups of 8 columns;
    /// `x..x_end` holds the `4 n` words for these groups, and `n` is not 0. `out` has room for four words per block
    /// without a `curve`, and for four bytes with one, which has 512 entries.
    unsafe fn dual16_rows_i8(
        blocks: *const u32,
        x: *const u32,
        x_end: *const u32,
        blocks_end: *const u32,
        constant: i32,
        out: *mut u8,
        curve: *const i8,
    );

    /// # Safety
    /// `x..x_end` is a multiple of 8 bytes, not 0; `prepared` has room for twice that number of bytes.
    unsafe fn dual16_prepare_i8(x: *const i8, x_end: *const i8, prepared: *mut u32) -> i32;
}

/// Computes all rows: as words, or as the curve's entries in bytes.
#[inline(never)]
fn run(blocks: &[u32], prepared: &[u32], constant: i32, out: Out<'_>) {
    let block_words = block_words(prepared.len() / PART_WORDS * GROUP);
    let (out, len, curve) = parts(out);
    if let Some(blocks) = fitting(blocks, block_words, prepared.len(), PART_WORDS, len, ROWS) {
        let (x, blocks) = (prepared.as_ptr_range(), blocks.as_ptr_range());
        // SAFETY: `fitting` has checked that the blocks are whole blocks for this many groups, that there is at least
        // one of each, and that there are four outputs per block. An output is a word without a curve, and a byte with
        // one, which has 512 entries.
        unsafe { dual16_rows_i8(blocks.start, x.start, x.end, blocks.end, constant, out, curve) }
    }
}

pub fn rows(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
    run(blocks, prepared, constant, Out::Rows(out));
}

pub fn rows_curve(blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]) {
    run(blocks, prepared, constant, Out::Curve(out, curve));
}

#[inline(never)]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    let (groups, rest) = x.as_chunks::<GROUP>();
    let (to, _) = prepared.as_chunks_mut::<PART_WORDS>();
    let Some((to, later)) = to.split_at_mut_checked(groups.len()) else { return 0 };
    let mut constant = 0;
    if !groups.is_empty() {
        let x = groups.as_flattened().as_ptr_range();
        // SAFETY: whole groups, at least one; `to` has four words for each group of 8 bytes.
        constant = unsafe { dual16_prepare_i8(x.start, x.end, to.as_mut_ptr().cast()) };
    }
    if let (false, Some(last)) = (rest.is_empty(), later.first_mut()) {
        // Padded with zeros.
        let mut group = [0; GROUP];
        group.iter_mut().zip(rest).for_each(|(to, &x)| *to = x);
        let x = group.as_ptr_range();
        // SAFETY: one group, and its four words.
        constant = constant.wrapping_add(unsafe { dual16_prepare_i8(x.start, x.end, last.as_mut_ptr()) });
    }
    constant
}
