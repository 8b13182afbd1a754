//! Rows of 4-bit weights.

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
    .macro runtime_v128_i4_pair even, odd, x, w, low
        vldrb.u8 \w, [r1], #16
        vmladava.s8 \odd, \x, \w
        vshl.i8 \low, \w, #4
        vmladava.s8 \even, \x, \low
    .endm

    .macro runtime_v128_i4_group x
        runtime_v128_i4_pair r0, r2, \x, q2, q3
        runtime_v128_i4_pair r4, r6, \x, q4, q5
        runtime_v128_i4_pair r8, r10, \x, q2, q3
        runtime_v128_i4_pair r12, lr, \x, q4, q5
    .endm

    .macro runtime_v128_i4_group_and_load x, next
        runtime_v128_i4_pair r0, r2, \x, q2, q3
        runtime_v128_i4_pair r4, r6, \x, q4, q5
        runtime_v128_i4_pair r8, r10, \x, q2, q3
        vldrb.u8 q4, [r1], #16
        vmladava.s8 lr, \x, q4
        vshl.i8 q5, q4, #4
        vldrb.u8 \next, [r3], #16
        vmladava.s8 r12, \x, q5
    .endm

    .macro runtime_v128_i4_four
        vldrb.u8 q0, [r3], #16
        runtime_v128_i4_group_and_load q0, q1
        runtime_v128_i4_group_and_load q1, q0
        runtime_v128_i4_group_and_load q0, q1
        runtime_v128_i4_group q1
    .endm

    .macro runtime_v128_i4_scale    @ q0, q1: requantized
        runtime_v128_sums
        vshl.i32 q1, q1, #4
        vsub.i32 q1, q1, q0
        vshl.i32 q0, q0, #4
        vrmulh.s32 q0, q0, q2
        vrmulh.s32 q1, q1, q3
    .endm

    .section .text.runtime_v128_rows_i4, "ax", %progbits
    .p2align 2
    .global runtime_v128_rows_i4
    .type   runtime_v128_rows_i4, %function
    .thumb_func
runtime_v128_rows_i4:
        runtime_v128_begin 272
    1:  runtime_v128_block
        runtime_v128_singles runtime_v128_i4_group
    4:  runtime_v128_i4_four
        runtime_v128_i4_four
        runtime_v128_i4_four
        runtime_v128_i4_four
        bx      r9
        runtime_v128_turn
        runtime_v128_rest runtime_v128_i4_scale
    .size   runtime_v128_rows_i4, . - runtime_v128_rows_i4
    .text
    "#,
    options(raw)
);

unsafe extern "C" {
    /// Computes blocks like the function for 8 bits, with 4-bit weights.
    pub(super) fn runtime_v128_rows_i4(
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
    if let Some(matrix) = Matrix::new(WeightFormat::Int4, blocks, prepared.len(), out.len()) {
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
