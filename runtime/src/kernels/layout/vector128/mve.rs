//! The loops of the layout for the vector extension; each function equals the one of its name in [`super::portable`].
//!
//! # A block of rows
//!
//! ```text
//! for each block:
//!     acc[8] = start values                              r0 r2 r4 r6 r8 r10 r12 lr
//!     for each group:
//!         x = 16 activations
//!         for each row: acc[row] += w[row] . x           VLDRB, VMLADAVA
//!     q0 = acc of rows 0 2 4 6, q1 = acc of rows 1 3 5 7
//!     q0, q1 = VRMULH(256 * q, multipliers)
//!     out = q0, q1 interleaved, or their tanh as bytes
//! ```
//!
//! ```text
//! r1  block: weights, start values, multipliers        r7  out: low, as a narrowing VSTRB asks
//! r3  activations                                       r9  what follows a turn of the loop: 5, 6 or 7
//! r5  table of tanh                                     r11 end of out
//! [sp]     first activation                             [sp, 4]  where a block begins: 3, in turn 4, 6 or 7
//! [sp, 8]  where its whole fours of groups begin        [sp, 12] end of the groups before them
//! [sp, 16] table, [sp, 20] end of the activations       [sp, 24] what follows the last turn of several
//! ```
//!
//! Departures from the plain loop:
//!
//! 1. VMLADAVA takes its sum from an even register, of which there are eight (sp is none). lr is one of them, so that
//!    the loop instructions, which count in lr, are out of reach: 16 groups to a turn instead, and the loop is entered
//!    in its middle where the fours of groups are no multiple of four. One to three groups come before. A turn ends
//!    with a jump to what follows, computed once: of 16 groups or fewer nobody asks whether they are all.
//! 2. Loads and multiplications alternate. The core works on a vector for two cycles and begins another each cycle if
//!    it needs another unit: with 9 loads to 8 multiplications the loads take all the time there is, 18 cycles a group.
//! 3. 8 bits: the activations of four groups by one VLDM, which takes the eight cycles that four VLDRB would: no load
//!    here can hide behind anything but a multiplication, and those are taken by weights.
//! 4. 4 bits: VLDRB for them, between others. Multiplications are the bottleneck there: 16 cycles a group, 17 with
//!    them.
//! 5. Even and odd rows lie in different registers, because narrowing to 16 bits puts the lanes of two registers side
//!    by side: so the bytes come out in order. VLD2 and VST2 do the same for words in memory.
//! 6. tanh: saturated to 9 bits by shifting up with saturation and down again without sign, which makes the index of
//!    [`crate::activation::TANH`]; a gather load looks up eight.
//!
//! Cycles are those of a model of the core (an instruction a cycle; loads, stores, multiplications and the rest of the
//! vector arithmetic each busy for two), without wait states, and not measured.
#![allow(unsafe_code, reason = "vector instructions: assembly, and calls of it")]

use core::arch::global_asm;

use super::{COLUMNS, columns};
use crate::activation::TANH;

/// What the blocks of assembly share. Each begins with it, for nothing says that they are assembled together: the
/// symbol sees to it that the second of two that are leaves it out.
macro_rules! common {
    () => {
        r#"
    .cpu    cortex-m55
    .ifndef runtime_v128_common
    .set    runtime_v128_common, 1
    @ bytes: of code for four groups. r0 blocks, r1 activations, r2 groups, r3 out; on the stack: end of out, table
    .macro runtime_v128_begin bytes
        push    {r4-r11, lr}
        vpush   {d8-d11}
        sub     sp, #28
        mov     r7, r3
        ldrd    r11, r5, [sp, #96]
        add     r4, r1, r2, lsl #4
        strd    r5, r4, [sp, #16]
        adr.w   r9, 7f + 1          @ behind the groups: words (1: Thumb),
        cbz     r5, 1f
        adr.w   r9, 6f + 1          @ or tanh
    1:  mov     r8, r9
        lsrs    r3, r2, #2
        beq     2f
        adr.w   r8, 4f + 1
        rsb     r4, r3, #0          @ fours left out of the first turn: to where there are four more
        and     r4, r4, #3
        movw    r6, #\bytes
        mla     r8, r4, r6, r8
        cmp     r3, #4
        bls     2f
        str     r9, [sp, #24]       @ more turns than one: a question first
        adr.w   r9, 5f + 1
    2:  strd    r1, r8, [sp]
        ands    r2, r2, #3
        beq     1f
        add     r2, r1, r2, lsl #4
        strd    r8, r2, [sp, #8]
        adr.w   r8, 3f + 1
        str     r8, [sp, #4]
    1:  mov     r1, r0
    .endm

    .macro runtime_v128_end
        add     sp, #28
        vpop    {d8-d11}
        pop     {r4-r11, pc}
    .endm

    .macro runtime_v128_block
        ldm     r1!, {r0, r2, r4, r6, r8, r10, r12, lr}
        ldm     sp, {r3, pc}        @ the first activation, and where to begin
    .endm

    .macro runtime_v128_singles group
    3:  ldr     r5, [sp, #12]
    2:  vldrb.u8 q0, [r3], #16
        \group  q0
        cmp     r3, r5
        bne     2b
        ldr     r5, [sp, #16]
        ldr     pc, [sp, #8]
    .endm

    .macro runtime_v128_turn        @ behind four fours, where they are not all
    5:  ldr     r5, [sp, #20]
        cmp     r3, r5
        ldr     r5, [sp, #16]
        bne.w   4b
        ldr     pc, [sp, #24]
    .endm

    .macro runtime_v128_sums        @ q0: rows 0 2 4 6, q1: rows 1 3 5 7; q2, q3: their multipliers
        vmov    q0[2], q0[0], r0, r8
        vmov    q1[2], q1[0], r2, r10
        vmov    q0[3], q0[1], r4, r12
        vmov    q1[3], q1[1], r6, lr
        vld20.32 {q2, q3}, [r1]
        vld21.32 {q2, q3}, [r1]!
    .endm

    .macro runtime_v128_tanh out, table     @ of q0 and q1, eight bytes to out
        vqmovnb.s32 q0, q0
        vqmovnt.s32 q0, q1
        vqshl.s16 q0, q0, #7
        vshr.u16 q0, q0, #7
        vldrb.u16 q2, [\table, q0]
        vstrb.16 q2, [\out], #8
    .endm

    .macro runtime_v128_rest scale  @ the ends of a block: tanh, and words
    6:  \scale
        runtime_v128_tanh r7, r5
        cmp     r7, r11
        bne.w   1b
        runtime_v128_end
    7:  \scale
        vst20.32 {q0, q1}, [r7]
        vst21.32 {q0, q1}, [r7]!
        cmp     r7, r11
        bne.w   1b
        runtime_v128_end
    .endm
    .endif
    "#
    };
}

mod slices;

pub use slices::{copy_i8, exchange_i8, gate_i8, pick, table_tanh_i8, tanh_i8_slice, weigh};

global_asm!(
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

#[cfg(feature = "int4")]
global_asm!(
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
    /// Reads `blocks` `[blocks][block_words_i8(16 * groups)]` and `x` `[16 * groups]`; writes from `out` to `end`, of
    /// which there is as much as blocks: 8 bytes each, tanh by the table of 512, or without a table 8 words each. At
    /// least one block.
    fn runtime_v128_rows_i8(
        blocks: *const u32,
        x: *const u32,
        groups: usize,
        out: *mut u8,
        end: *mut u8,
        table: *const i8,
    );

    /// The same for blocks of `block_words_i4(16 * groups)` words.
    #[cfg(feature = "int4")]
    fn runtime_v128_rows_i4(
        blocks: *const u32,
        x: *const u32,
        groups: usize,
        out: *mut u8,
        end: *mut u8,
        table: *const i8,
    );

}

/// All rows of a layer. What the assembly takes for granted is checked when one is made.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Whether weights have 4 bits. No pointer to the kernel: a program's bound of the stack must know what is called.
    #[cfg(feature = "int4")]
    i4: bool,
    /// At least as many blocks as rows take, of as many groups; one or more.
    blocks: &'a [u32],
    groups: usize,
    rows: usize,
}

impl<'a> Matrix<'a> {
    /// Of 8-bit weights, which read `x` words of activations and give so many rows; `None` if `blocks` is not enough for that.
    #[inline]
    pub fn i8(blocks: &'a [u32], x: usize, rows: usize) -> Option<Self> {
        let columns = columns(super::block_words_i8, blocks, x, rows)?;
        Some(Self {
            #[cfg(feature = "int4")]
            i4: false,
            blocks,
            groups: columns / COLUMNS,
            rows,
        })
    }

    /// As [`Self::i8`], of 4-bit weights.
    #[cfg(feature = "int4")]
    #[inline]
    pub fn i4(blocks: &'a [u32], x: usize, rows: usize) -> Option<Self> {
        let columns = columns(super::block_words_i4, blocks, x, rows)?;
        Some(Self { i4: true, blocks, groups: columns / COLUMNS, rows })
    }

    /// As [`portable::rows_i8`], of what begins with the input and into what begins with the output; does nothing if one is short.
    #[inline]
    pub fn rows(&self, x: &[u32], out: &mut [i32]) {
        if self.rows <= out.len() {
            // SAFETY: there is as much. No table: words are written.
            unsafe { self.run(x, out.as_mut_ptr().cast(), size_of::<i32>(), core::ptr::null()) }
        }
    }

    /// As [`portable::rows_tanh_i8`], likewise.
    #[inline]
    pub fn rows_tanh(&self, x: &[u32], out: &mut [i8]) {
        if self.rows <= out.len() {
            // SAFETY: there is as much. The table has 512 entries: bytes are written.
            unsafe { self.run(x, out.as_mut_ptr().cast(), 1, TANH.0.as_ptr()) }
        }
    }

    /// # Safety
    /// `out` has room for the rows of this matrix, each of so many bytes: 4 without a table, 1 with one of 512 entries.
    #[inline]
    unsafe fn run(&self, x: &[u32], out: *mut u8, bytes: usize, table: *const i8) {
        let (blocks, groups) = (self.blocks.as_ptr(), self.groups);
        if groups * (COLUMNS / 4) > x.len() {
            return;
        }
        // SAFETY: the caller has seen to it.
        let end = unsafe { out.add(self.rows * bytes) };
        let x = x.as_ptr();
        #[cfg(feature = "int4")]
        if self.i4 {
            // SAFETY: as below, of weights of 4 bits.
            return unsafe { runtime_v128_rows_i4(blocks, x, groups, out, end, table) };
        }
        // SAFETY: `x` has `groups` groups, `blocks` a block of that width for every eight rows, of which there are some, as has been
        // checked when this was made; the caller has seen to the rest.
        unsafe { runtime_v128_rows_i8(blocks, x, groups, out, end, table) }
    }
}

/// As [`portable::rows_i8`].
#[inline]
pub fn rows_i8(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    Matrix::i8(blocks, prepared.len(), out.len()).into_iter().for_each(|matrix| matrix.rows(prepared, out));
}

/// As [`portable::rows_tanh_i8`].
#[inline]
pub fn rows_tanh_i8(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i8]) {
    Matrix::i8(blocks, prepared.len(), out.len()).into_iter().for_each(|matrix| matrix.rows_tanh(prepared, out));
}

/// As [`portable::rows_i4`].
#[cfg(feature = "int4")]
#[inline]
pub fn rows_i4(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i32]) {
    Matrix::i4(blocks, prepared.len(), out.len()).into_iter().for_each(|matrix| matrix.rows(prepared, out));
}

/// As [`portable::rows_tanh_i4`].
#[cfg(feature = "int4")]
#[inline]
pub fn rows_tanh_i4(blocks: &[u32], prepared: &[u32], _constant: i32, out: &mut [i8]) {
    Matrix::i4(blocks, prepared.len(), out.len()).into_iter().for_each(|matrix| matrix.rows_tanh(prepared, out));
}
