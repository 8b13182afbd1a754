//! The loops of the layout for the vector extension; each function equals the one of its name in `portable`.
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
//!     out = q0, q1 interleaved, or their entries of a curve as bytes
//! ```
//!
//! ```text
//! r1  block: weights, start values, multipliers        r7  out: low, as a narrowing VSTRB asks
//! r3  activations                                       r9  what follows a turn of the loop: 5, 6 or 7
//! r5  curve                                             r11 end of out
//! [sp]     first activation                             [sp, 4]  where a block begins: 3, in turn 4, 6 or 7
//! [sp, 8]  where its whole fours of groups begin        [sp, 12] end of the groups before them
//! [sp, 16] curve, [sp, 20] end of the activations       [sp, 24] what follows the last turn of several
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
//! 6. The curve: saturated to 9 bits by shifting up with saturation and down again without sign, which makes the index of
//!    [`crate::activation::Curve`]; a gather load looks up eight.
//!
//! Cycles are those of a model of the core (an instruction a cycle; loads, stores, multiplications and the rest of the
//! vector arithmetic each busy for two), without wait states, and not measured.
#![allow(unsafe_code, reason = "vector instructions: assembly, and calls of it")]

use super::{COLUMNS, columns};
use crate::format::WeightFormat;
use crate::kernels::Out;

/// The macros that the blocks of assembly share. Each block begins with them, because it may be assembled by itself; with the
/// symbol, the second of two that are assembled together leaves them out.
macro_rules! common {
    () => {
        r#"
    .ifndef runtime_v128_common
    .set    runtime_v128_common, 1
    @ bytes: of code for four groups. r0 blocks, r1 activations, r2 groups, r3 out; on the stack: end of out, curve
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
        adr.w   r9, 6f + 1          @ or the curve's entries
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

    .macro runtime_v128_rest scale  @ the ends of a block: the curve's entries, and words
    6:  \scale
        runtime_v128_curve r7, r5
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

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;

/// All rows of a layer. The constructor checks what the assembly takes for granted.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// At least as many blocks as the rows take, with that many groups; one or more.
    blocks: &'a [u32],
    groups: usize,
    rows: u16,
    /// Whether weights have 4 bits. No pointer to the kernel: the bound of a program's stack follows from its calls.
    #[cfg_attr(not(feature = "int4"), allow(dead_code))]
    is_i4: bool,
}

impl<'a> Matrix<'a> {
    /// A matrix with weights of this format and that many rows, which reads `x` words of activations; `None` if `blocks` is too short
    /// for that.
    #[inline]
    pub fn new(format: WeightFormat, blocks: &'a [u32], x: usize, rows: usize) -> Option<Self> {
        let columns = match format {
            WeightFormat::Int8 => columns(super::sizes::int8::block_words, blocks, x, rows)?,
            #[cfg(feature = "int4")]
            WeightFormat::Int4 => columns(super::sizes::int4::block_words, blocks, x, rows)?,
            _ => return None,
        };
        // `columns` has checked that the rows fit 16 bits.
        let is_i4 = matches!(format, WeightFormat::Int4);
        Some(Self { blocks, groups: columns / COLUMNS, rows: rows as u16, is_i4 })
    }

    /// Computes all rows. `x` begins with the input, and `out` with the output; does nothing if one is too short.
    #[inline]
    pub fn run(&self, x: &[u32], out: Out<'_>) {
        let rows = usize::from(self.rows);
        if self.groups * (COLUMNS / 4) > x.len() || rows > out.len() {
            return;
        }
        let (out, bytes, curve) = match out {
            Out::Rows(out) => (out.as_mut_ptr().cast::<u8>(), rows * size_of::<i32>(), core::ptr::null()),
            Out::Curve(out, curve) => (out.as_mut_ptr().cast(), rows, curve.0.as_ptr()),
        };
        // SAFETY: there is room for the rows, each of them a word, or a byte with a curve.
        let end = unsafe { out.add(bytes) };
        let (blocks, groups, x) = (self.blocks.as_ptr(), self.groups, x.as_ptr());
        #[cfg(feature = "int4")]
        if self.is_i4 {
            // SAFETY: as below, for weights of 4 bits.
            return unsafe { int4::runtime_v128_rows_i4(blocks, x, groups, out, end, curve) };
        }
        // SAFETY: `x` has `groups` groups. `blocks` has a block of that width for every eight rows, and there are some: `new` has
        // checked that. `out` to `end` is a word per row without a curve, and a byte with one, which has 512 entries.
        unsafe { int8::runtime_v128_rows_i8(blocks, x, groups, out, end, curve) }
    }
}

/// Prepares a position: a copy, padded with zeros.
#[inline]
pub fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
    let bytes: &mut [i8] = bytemuck::cast_slice_mut(prepared);
    crate::kernels::copy_i8(x, bytes);
    if let Some(padding) = bytes.get_mut(x.len()..)
        && !padding.is_empty()
    {
        padding.fill(0);
    }
    0
}
