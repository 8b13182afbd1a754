//! Routines for the vector extension of Cortex-M55 and M85. Each equals the function of the same name in
//! [`super::portable`].
//!
//! # Weights of logits
//!
//! Computes four weights at a time, as [`super::softmax::weigh`] and [`crate::math::fixed::exp2_neg`] define them:
//!
//! 1. `e = (d * factor) >> 12` for d = largest - logit takes 64 bits. If the factor has z leading zeros, e is the upper
//!    half of `(d << (20 - z)) * (factor << z)`. If d is so large that the shift saturates, e is 2^31 - 1 or more, and
//!    its weight is 0, which is right.
//! 2. `((T[i] - T[i + 1]) * r) >> 10` is the upper half of `(T[i] - T[i + 1]) * (r << 22)`.
//! 3. `(v + 2^(n + 4)) >> (n + 5)` is VRSHL by `-n - 5 = (65535 - (5 << 16) - e) >> 16`. If n > 23, 0 replaces the
//!    result.
//!
//! # Level 0
//!
//! Two bytes make a sum of 9 bits in a lane of 16 bits. VSHLL widens it and multiplies it by 256; VMLA adds 256 times
//! the bias.
//!
//! # Drawing
//!
//! Adds up fours of weights until a sum is above the threshold, then goes through that four one by one. Lanes after the
//! last weight are zero.
//!
//! # Exchange
//!
//! Moves 64 bytes in five instructions if all addresses are multiples of four, as VLDM requires. Predicated vectors
//! move the rest, and everything at other addresses.
#![allow(unsafe_code, reason = "vector instructions: assembly, and calls of it")]

use core::arch::global_asm;

// Re-exports the routines without vector instructions here. Functions in this file hide those of the same name.
pub use super::portable::*;

use super::{portable, softmax};
use crate::activation::Curve;
use crate::math::fixed::{EXP2_NEG, WEIGHT_FRACTION_BITS};
use crate::vocab::Token;

/// Defines the macro that looks up rows in a curve, for assembly of the vector extension. Each block that uses the
/// macro begins with it. The symbol makes a second block in the same assembly skip it.
macro_rules! curve {
    () => {
        r#"
    .cpu    cortex-m55
    .ifndef runtime_v128_curve_defined
    .set    runtime_v128_curve_defined, 1
    .macro runtime_v128_curve out, table    @ of q0 and q1, eight bytes to out
        vqmovnb.s32 q0, q0
        vqmovnt.s32 q0, q1
        vqshl.s16 q0, q0, #7
        vshr.u16 q0, q0, #7
        vldrb.u16 q2, [\table, q0]
        vstrb.16 q2, [\out], #8
    .endm
    .endif
    "#
    };
}
pub(crate) use curve;

/// Number of values that the loops take in a turn.
const EIGHT: usize = 8;

global_asm!(
    curve!(),
    r#"
    @ r0 from, r1 to, r2 bytes
    .section .text.runtime_v128_copy, "ax", %progbits
    .p2align 2
    .global runtime_v128_copy
    .type   runtime_v128_copy, %function
    .thumb_func
runtime_v128_copy:
        push    {r7, lr}
        wlstp.8 lr, r2, 2f
    1:  vldrb.u8 q0, [r0], #16
        vstrb.8 q0, [r1], #16
        letp    lr, 1b
    2:  pop     {r7, pc}
    .size   runtime_v128_copy, . - runtime_v128_copy

    @ for each 8 values: value = (2 * value * (127 + gate) * 129 + 2^15) >> 16
    @ r0 values, r1 gates, r2 bytes, r3 129, r12 127
    .section .text.runtime_v128_gate, "ax", %progbits
    .p2align 2
    .global runtime_v128_gate
    .type   runtime_v128_gate, %function
    .thumb_func
runtime_v128_gate:
        push    {r7, lr}
        movs    r3, #129
        mov     r12, #127
        wlstp.16 lr, r2, 2f
    1:  vldrb.s16 q1, [r1], #8
        vadd.i16 q1, q1, r12
        vldrb.s16 q0, [r0]
        vmul.i16 q0, q0, q1
        vqrdmulh.s16 q0, q0, r3
        vstrb.16 q0, [r0], #8
        letp    lr, 1b
    2:  pop     {r7, pc}
    .size   runtime_v128_gate, . - runtime_v128_gate

    @ r0 newest, r1 slot, r2 first, r3 last; on the stack: bytes
    .section .text.runtime_v128_exchange, "ax", %progbits
    .p2align 2
    .global runtime_v128_exchange
    .type   runtime_v128_exchange, %function
    .thumb_func
runtime_v128_exchange:
        push    {r7, lr}
        ldr     r12, [sp, #8]
        orr     lr, r0, r1
        orr     r7, r2, r3
        orr     lr, lr, r7
        tst     lr, #3
        bne     2f
        lsrs    r7, r12, #6
        and     r12, r12, #63
        wls     lr, r7, 2f
    1:  vldmia  r1, {d0-d7}
        vstmia  r2!, {d0-d7}
        vldmia  r0!, {d0-d7}
        vstmia  r1!, {d0-d7}
        vstmia  r3!, {d0-d7}
        le      lr, 1b
    2:  wlstp.8 lr, r12, 4f
    3:  vldrb.u8 q0, [r1]
        vldrb.u8 q1, [r0], #16
        vstrb.8 q0, [r2], #16
        vstrb.8 q1, [r1], #16
        vstrb.8 q1, [r3], #16
        letp    lr, 3b
    4:  pop     {r7, pc}
    .size   runtime_v128_exchange, . - runtime_v128_exchange

    @ r0 bias, r1 multipliers, r2 and r3 entries; on the stack: out, eights of it, curve
    .section .text.runtime_v128_table, "ax", %progbits
    .p2align 2
    .global runtime_v128_table
    .type   runtime_v128_table, %function
    .thumb_func
runtime_v128_table:
        push    {r4-r6, lr}
        ldrd    r4, r5, [sp, #16]
        ldr     r6, [sp, #24]
        mov     r12, #256
        wls     lr, r5, 2f
    1:  vldrb.s16 q0, [r2], #8
        vldrb.s16 q1, [r3], #8
        vadd.i16 q0, q0, q1
        vshllt.s16 q1, q0, #8
        vld20.32 {q2, q3}, [r0]
        vshllb.s16 q0, q0, #8
        vld21.32 {q2, q3}, [r0]!
        vmla.i32 q0, q2, r12
        vmla.i32 q1, q3, r12
        vld20.32 {q2, q3}, [r1]
        vld21.32 {q2, q3}, [r1]!
        vrmulh.s32 q0, q0, q2
        vrmulh.s32 q1, q1, q3
        runtime_v128_curve r4, r6
        le      lr, 1b
    2:  pop     {r4-r6, pc}
    .size   runtime_v128_table, . - runtime_v128_table

    @ r0 logits, r1 their number (not 0), r2 factor << z, r3 T; on the stack: 20 - z, 65535 - (5 << 16), 24 << 16
    .section .text.runtime_v128_weigh, "ax", %progbits
    .p2align 2
    .global runtime_v128_weigh
    .type   runtime_v128_weigh, %function
    .thumb_func
runtime_v128_weigh:
        push    {r4-r8, lr}
        vpush   {d8-d13}
        vdup.32 q4, r2
        ldrd    r5, r6, [sp, #72]
        ldr     r7, [sp, #80]
        vdup.32 q5, r6
        mov     r4, #0x80000000
        mov     r2, r0
        dlstp.32 lr, r1
    1:  vldrw.u32 q0, [r2], #16
        vmaxv.s32 r4, q0
        letp    lr, 1b
        vdup.32 q6, r4
        mov     r4, #0
        add     r8, r3, #4
        dlstp.32 lr, r1
    2:  vldrw.u32 q0, [r0]
        vsub.i32 q0, q6, q0
        vqshl.u32 q0, r5
        vmulh.u32 q0, q0, q4        @ e
        vshl.i32 q1, q0, #16
        vshr.u32 q1, q1, #26        @ i
        vldrw.u32 q2, [r3, q1, uxtw #2]
        vldrw.u32 q3, [r8, q1, uxtw #2]
        vshl.i32 q1, q0, #22
        vsub.i32 q3, q2, q3
        vmulh.u32 q3, q3, q1
        vsub.i32 q1, q5, q0
        vshr.s32 q1, q1, #16        @ -n - 5
        vsub.i32 q2, q2, q3         @ v
        vrshl.u32 q2, q2, q1
        vpt.u32 cs, q0, r7
        vmovt.i32 q2, #0
        vstrw.32 q2, [r0], #16
        vaddva.u32 r4, q2
        letp    lr, 2b
        mov     r0, r4
        vpop    {d8-d13}
        pop     {r4-r8, pc}
    .size   runtime_v128_weigh, . - runtime_v128_weigh

    @ r0 weights, r1 their number (not 0), r2 threshold; returns r0: index, 0 for none
    .section .text.runtime_v128_pick, "ax", %progbits
    .p2align 2
    .global runtime_v128_pick
    .type   runtime_v128_pick, %function
    .thumb_func
runtime_v128_pick:
        push    {r4, lr}
        mov     r3, r0
        mov     r12, #0
        dlstp.32 lr, r1
    1:  vldrw.u32 q0, [r0], #16
        vaddva.u32 r12, q0
        cmp     r2, r12
        blo     2f
        letp    lr, 1b
        movs    r0, #0
        pop     {r4, pc}
    2:  lctp                        @ out of the loop: no predicate
        vaddv.u32 r4, q0
        sub     r12, r12, r4
        sub     r0, r0, #16
    3:  ldr     r4, [r0], #4
        add     r12, r12, r4
        cmp     r2, r12
        bhs     3b
        sub     r0, r0, r3
        lsrs    r0, r0, #2
        subs    r0, r0, #1
        pop     {r4, pc}
    .size   runtime_v128_pick, . - runtime_v128_pick
    .text
    "#,
    options(raw)
);

unsafe extern "C" {
    /// Copies `count` bytes that do not overlap.
    fn runtime_v128_copy(from: *const i8, to: *mut i8, count: usize);

    /// Reads `count` values and gates, and writes the values. They do not overlap.
    fn runtime_v128_gate(values: *mut i8, gates: *const i8, count: usize);

    /// Copies `count` bytes each: `slot` to `first`, then `newest` to `last` and to `slot`. They do not overlap.
    fn runtime_v128_exchange(newest: *const i8, slot: *mut i8, first: *mut i8, last: *mut i8, count: usize);

    /// Reads `8 * eights` words of bias and multiplier and as many bytes of both entries, and writes as many bytes.
    fn runtime_v128_table(
        bias: *const i32,
        multiplier: *const i32,
        first: *const i8,
        second: *const i8,
        out: *mut i8,
        eights: usize,
        curve: *const i8,
    );

    /// Replaces `count` logits by weights and returns the sum of the weights. `count` is not 0; `exponents` has 65
    /// entries.
    fn runtime_v128_weigh(
        logits: *mut i32,
        count: usize,
        factor: u32,
        exponents: *const u32,
        shift: u32,
        rounding: i32,
        end: u32,
    ) -> u32;

    /// Returns the index of the first of `count` weights at which the running sum exceeds the threshold, or 0 if there
    /// is none. `count` is not 0; the sum of all weights fits 32 bits.
    fn runtime_v128_pick(weights: *const i32, count: usize, threshold: u32) -> usize;
}

/// Computes [`portable::copy_i8`].
#[inline]
pub fn copy_i8(from: &[i8], to: &mut [i8]) {
    let count = from.len().min(to.len());
    // SAFETY: both have at least `count` bytes, and one is borrowed mutably, so they do not overlap.
    unsafe { runtime_v128_copy(from.as_ptr(), to.as_mut_ptr(), count) }
}

/// Computes [`portable::gate_i8`].
#[inline]
pub fn gate_i8(values: &mut [i8], gates: &[i8]) {
    let count = values.len().min(gates.len());
    // SAFETY: both have at least `count` bytes, and one is borrowed mutably, so they do not overlap.
    unsafe { runtime_v128_gate(values.as_mut_ptr(), gates.as_ptr(), count) }
}

/// Computes [`portable::exchange_i8`].
#[inline]
pub fn exchange_i8(newest: &[i8], slot: &mut [i8], input: &mut [i8], last: usize) -> bool {
    let count = newest.len();
    if last < count || slot.len() < count || input.len().checked_sub(last).is_none_or(|left| left < count) {
        return false;
    }
    // SAFETY: there are `count` bytes after `last`.
    let at_last = unsafe { input.as_mut_ptr().add(last) };
    // SAFETY: all have `count` bytes. Those of `input` do not overlap, because `last` is at least `count`. The others
    // do not overlap, because two of them are borrowed mutably.
    unsafe { runtime_v128_exchange(newest.as_ptr(), slot.as_mut_ptr(), input.as_mut_ptr(), at_last, count) }
    true
}

/// Computes [`portable::look_up_pair`].
#[inline]
pub fn look_up_pair(bias: &[i32], multiplier: &[i32], entries: [&[i8]; 2], curve: &Curve, out: &mut [i8]) {
    let [first, second] = entries;
    let len = out.len();
    if bias.len() < len || multiplier.len() < len || first.len() < len || second.len() < len {
        return portable::look_up_pair(bias, multiplier, entries, curve, out);
    }
    let eights = len / EIGHT;
    let (to, curve_at) = (out.as_mut_ptr(), curve.0.as_ptr());
    let (first_at, second_at) = (first.as_ptr(), second.as_ptr());
    // SAFETY: all have at least `eights` eights; the curve has 512 entries.
    unsafe { runtime_v128_table(bias.as_ptr(), multiplier.as_ptr(), first_at, second_at, to, eights, curve_at) }
    let done = eights * EIGHT;
    if done == len {
        return;
    }
    if let (Some(bias), Some(multiplier), Some(first), Some(second), Some(out)) =
        (bias.get(done..), multiplier.get(done..), first.get(done..), second.get(done..), out.get_mut(done..))
    {
        portable::look_up_pair(bias, multiplier, [first, second], curve, out);
    }
}

/// Table of level 0 for two characters. The constructor checks everything that the assembly requires.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// `rows` words of bias, `rows` words of multipliers, and `2 * vocab_size * rows` bytes of entries.
    words: &'a [u32],
    vocab_size: u16,
    /// A multiple of [`EIGHT`].
    rows: u16,
}

impl<'a> Table<'a> {
    /// Returns the table at the beginning of `words`, or `None` if the words are too few or the rows are not eights.
    #[inline]
    pub const fn new(words: &'a [u32], vocab_size: usize, rows: usize) -> Option<Self> {
        // Limits that no table exceeds. The product fits 32 bits.
        const MAX_VOCAB: usize = 1 << 9;
        const MAX_ROWS: usize = 1 << 13;
        if vocab_size > MAX_VOCAB || rows > MAX_ROWS || !rows.is_multiple_of(EIGHT) {
            return None;
        }
        // Biases and multipliers, then a byte for each character, position and row.
        let need = 2 * rows + 2 * vocab_size * rows / size_of::<u32>();
        // No truncation: checked above.
        if need > words.len() { None } else { Some(Self { words, vocab_size: vocab_size as u16, rows: rows as u16 }) }
    }

    /// Computes [`portable::look_up_pair`] of two characters, older first. Returns `false` if `out` is too short or a
    /// character is not in the vocabulary.
    #[inline]
    pub fn look_up(&self, tokens: [Token; 2], curve: &Curve, out: &mut [i8]) -> bool {
        let (vocab_size, rows) = (usize::from(self.vocab_size), usize::from(self.rows));
        let [older, newer] = tokens.map(usize::from);
        if out.len() < rows || older >= vocab_size || newer >= vocab_size {
            return false;
        }
        let (bias, out, eights, curve) =
            (self.words.as_ptr().cast::<i32>(), out.as_mut_ptr(), rows / EIGHT, curve.0.as_ptr());
        // SAFETY: the words begin with the biases, which `rows` multipliers follow.
        let multiplier = unsafe { bias.add(rows) };
        // SAFETY: the entries follow the multipliers.
        let entries = unsafe { multiplier.add(rows) }.cast::<i8>();
        // SAFETY: each character of the vocabulary has `rows` entries at each of two positions.
        let first = unsafe { entries.add(older * rows) };
        // SAFETY: as above; the entries of the second position follow those of the first.
        let second = unsafe { entries.add((vocab_size + newer) * rows) };
        // SAFETY: all have `rows` values, which are `eights` eights; the curve has 512 entries.
        unsafe { runtime_v128_table(bias, multiplier, first, second, out, eights, curve) };
        true
    }
}

/// Computes [`portable::weigh`].
#[inline]
pub fn weigh(logits: &mut [i32], temperature_milli: u16) -> u32 {
    if logits.is_empty() {
        return 0;
    }
    let factor = softmax::factor(temperature_milli);
    // From 3 to 19, because the factor is 2^13 to 2^29.
    let zeros = factor.leading_zeros();
    let (count, rounding, end) = (logits.len(), 65_535 - (5 << 16), (WEIGHT_FRACTION_BITS + 1) << 16);
    let (logits, exponents) = (logits.as_mut_ptr(), EXP2_NEG.as_ptr());
    // SAFETY: `logits` has `count` entries, at least one; the table has 65, and the largest index is 64.
    unsafe { runtime_v128_weigh(logits, count, factor << zeros, exponents, 20 - zeros, rounding, end) }
}

/// Computes [`portable::pick`].
#[inline]
pub fn pick(weights: &[i32], total: u32, random: u32) -> Token {
    if weights.is_empty() {
        return 0;
    }
    let threshold = softmax::threshold(total, random);
    // SAFETY: `weights` has this number of entries, at least one. Even if their sum wraps, the index is one of theirs:
    // the four that lifts the sum above the threshold contains an entry that does.
    let index = unsafe { runtime_v128_pick(weights.as_ptr(), weights.len(), threshold) };
    // No truncation: there are at most 256 weights (see `config`).
    index as Token
}
