//! Rows of 8-bit weights.

use core::arch::global_asm;

use super::Matrix;
use crate::activation::Curve;
use crate::format::WeightFormat;
use crate::kernels::Out;
use crate::kernels::routine::mve::curve;

pub use super::prepare;

global_asm!(
    curve!(),
    common!(),
    r#"
    .macro runtime_v128_i8_row acc, x, w
        vldrb.u8 \w, [r1], #16
        vmladava.s8 \acc, \x, \w
    .endm

    .macro runtime_v128_i8_group x
        runtime_v128_i8_row r0, \x, q4
        runtime_v128_i8_row r2, \x, q5
        runtime_v128_i8_row r4, \x, q4
        runtime_v128_i8_row r6, \x, q5
        runtime_v128_i8_row r8, \x, q4
        runtime_v128_i8_row r10, \x, q5
        runtime_v128_i8_row r12, \x, q4
        runtime_v128_i8_row lr, \x, q5
    .endm

    .macro runtime_v128_i8_four
        vldmia  r3!, {d0-d7}
        runtime_v128_i8_group q0
        runtime_v128_i8_group q1
        runtime_v128_i8_group q2
        runtime_v128_i8_group q3
    .endm

    .macro runtime_v128_i8_scale    @ q0, q1: requantized
        runtime_v128_sums
        vshl.i32 q0, q0, #8
        vshl.i32 q1, q1, #8
        vrmulh.s32 q0, q0, q2
        vrmulh.s32 q1, q1, q3
    .endm

    .section .text.runtime_v128_rows_i8, "ax", %progbits
    .p2align 2
    .global runtime_v128_rows_i8
    .type   runtime_v128_rows_i8, %function
    .thumb_func
runtime_v128_rows_i8:
        runtime_v128_begin 260
    1:  runtime_v128_block
        runtime_v128_singles runtime_v128_i8_group
    4:  runtime_v128_i8_four
        runtime_v128_i8_four
        runtime_v128_i8_four
        runtime_v128_i8_four
        bx      r9
        runtime_v128_turn
        runtime_v128_rest runtime_v128_i8_scale
    .size   runtime_v128_rows_i8, . - runtime_v128_rows_i8

    .text
    "#,
    options(raw)
);

unsafe extern "C" {
    /// Computes blocks, at least one. Reads `blocks` `[blocks][block_words(16 * groups)]` and `x` `[16 * groups]`.
    /// Writes everything from `out` to `end`: 8 bytes per block with a curve of 512 entries, or 8 words per block
    /// without one.
    pub(super) fn runtime_v128_rows_i8(
        blocks: *const u32,
        x: *const u32,
        groups: usize,
        out: *mut u8,
        end: *mut u8,
        curve: *const i8,
    );
}

#[inline]
fn run(blocks: &[u32], prepared: &[u32], out: Out<'_>) {
    if let Some(matrix) = Matrix::new(WeightFormat::Int8, blocks, prepared.len(), out.len()) {
        matrix.run(prepared, out);
    }
}

#[inline]
pub fn rows(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    run(blocks, prepared, Out::Rows(out));
}

#[inline]
pub fn rows_curve(blocks: &[u32], prepared: &[u32], _constant: i32, curve: &Curve, out: &mut [i8]) {
    run(blocks, prepared, Out::Curve(out, curve));
}
