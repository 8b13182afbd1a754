//! The loops of the layout for the vector extension. Each function equals the function of the same name in `portable`.
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
//! r1  block: weights, start values, multipliers        r7  out: a low register, as a narrowing VSTRB requires
//! r3  activations                                       r9  label after a turn of the loop: 5, 6 or 7
//! r5  curve                                             r11 end of out
//! [sp]     first activation                             [sp, 4]  label where a block begins: 3, in turn 4, 6 or 7
//! [sp, 8]  label where its fours of groups begin        [sp, 12] end of the groups before them
//! [sp, 16] curve, [sp, 20] end of the activations       [sp, 24] label after the last of several turns
//! ```
//!
//! Departures from the plain loop:
//!
//! 1. VMLADAVA sums in an even register, and only eight are usable (sp is not). lr is one of them, so the
//!    loop instructions, which count in lr, are not available. Instead, a turn takes 16 groups, and if the fours of
//!    groups are not a multiple of four, the loop is entered in its middle. One to three single groups come before. A
//!    turn ends with a jump to the next step, which is computed once: with 16 groups or fewer there is no test for the
//!    last turn.
//! 2. Loads and multiplications alternate. The core works on a vector for two cycles, and starts another one each cycle
//!    if it needs another unit. With 9 loads to 8 multiplications, the loads determine the time: 18 cycles per group.
//! 3. With 8-bit weights, one VLDM loads the activations of four groups. It takes the eight cycles that four VLDRB
//!    would take, because a load can only overlap a multiplication, and all multiplications overlap loads of weights
//!    already.
//! 4. With 4-bit weights, VLDRB loads them between other instructions, because multiplications are the bottleneck: 16
//!    cycles per group, 17 with these loads.
//! 5. Even and odd rows are in different registers, because narrowing to 16 bits interleaves the lanes of two
//!    registers, so that the bytes are in order. VLD2 and VST2 do the same for words in memory.
//! 6. The curve's index (see [`crate::activation::Curve`]) is the row saturated to 9 bits, by a saturating shift up and
//!    an unsigned shift down. A gather load looks up eight entries.
//!
//! The cycle counts come from a model of the core (one instruction per cycle; loads, stores, multiplications and the
//! remaining vector arithmetic are each busy for two), without wait states. They have not been measured.
#![allow(unsafe_code, reason = "vector instructions: assembly, and calls of it")]

use super::{COLUMNS, columns, contains_rows};
use crate::format::WeightFormat;
use crate::kernels::Out;

/// Defines the macros that the blocks of assembly share. Each block begins with them, because it may be assembled
/// separately. The symbol makes a second block in the same assembly skip them.
macro_rules! common {
    () => {
        r#"
    .ifndef runtime_v128_common
    .set    runtime_v128_common, 1
    @ bytes: size of code for four groups. r0 blocks, r1 activations, r2 groups, r3 out; on the stack: end of out, curve
    .macro runtime_v128_begin bytes
        push    {r4-r11, lr}
        vpush   {d8-d11}
        sub     sp, #28
        mov     r7, r3
        ldrd    r11, r5, [sp, #96]
        add     r4, r1, r2, lsl #4
        strd    r5, r4, [sp, #16]
        adr.w   r9, 7f + 1          @ after the groups: words (1: Thumb),
        cbz     r5, 1f
        adr.w   r9, 6f + 1          @ or the curve's entries
    1:  mov     r8, r9
        lsrs    r3, r2, #2
        beq     2f
        adr.w   r8, 4f + 1
        rsb     r4, r3, #0          @ fours that the first turn skips, so that a multiple of four remains
        and     r4, r4, #3
        movw    r6, #\bytes
        mla     r8, r4, r6, r8
        cmp     r3, #4
        bls     2f
        str     r9, [sp, #24]       @ more than one turn: test for the last
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
        ldm     sp, {r3, pc}        @ the first activation, and the label to begin at
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

    .macro runtime_v128_turn        @ after four fours, if there is more than one turn
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

/// Weights of a layer, with all rows. The constructor checks everything that the assembly requires.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Blocks of `groups` groups: at least one, and enough for the rows.
    blocks: &'a [u32],
    groups: usize,
    rows: u16,
    /// True if weights have 4 bits. Not a pointer to the kernel, so that the program's calls determine a bound of its
    /// stack.
    #[cfg_attr(not(feature = "int4"), allow(dead_code))]
    is_i4: bool,
}

impl<'a> Matrix<'a> {
    /// Returns a matrix of `rows` rows in this format that reads `x` words of activations, or `None` if `blocks` is too
    /// short.
    #[inline]
    pub const fn new(format: WeightFormat, blocks: &'a [u32], x: usize, rows: usize) -> Option<Self> {
        let Some(columns) = columns(x) else { return None };
        let (block_words, is_i4) = match format {
            WeightFormat::Int8 => (super::sizes::int8::block_words(columns), false),
            #[cfg(feature = "int4")]
            WeightFormat::Int4 => (super::sizes::int4::block_words(columns), true),
            #[cfg(not(feature = "int4"))]
            WeightFormat::Int4 => return None,
            WeightFormat::F32 | WeightFormat::Table | WeightFormat::Pairs | WeightFormat::Halves => return None,
        };
        if !contains_rows(blocks, block_words, rows) {
            return None;
        }
        // No truncation: `contains_rows` has checked that the rows fit 16 bits.
        Some(Self { blocks, groups: columns / COLUMNS, rows: rows as u16, is_i4 })
    }

    /// Computes all rows. `x` begins with the input, `out` with the output. Does nothing if either is too short.
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
        // SAFETY: `out` has room for the rows; each is a word, or a byte with a curve.
        let end = unsafe { out.add(bytes) };
        let (blocks, groups, x) = (self.blocks.as_ptr(), self.groups, x.as_ptr());
        #[cfg(feature = "int4")]
        if self.is_i4 {
            // SAFETY: as below, for weights of 4 bits.
            return unsafe { int4::runtime_v128_rows_i4(blocks, x, groups, out, end, curve) };
        }
        // SAFETY: `x` has `groups` groups. `blocks` has a block of that width for every eight rows, at least one, as
        // `new` has checked. `out` to `end` has a word per row without a curve, and a byte per row with one, which has
        // 512 entries.
        unsafe { int8::runtime_v128_rows_i8(blocks, x, groups, out, end, curve) }
    }
}

/// Prepares a position: copies it, padded with zeros.
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
