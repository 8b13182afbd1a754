//! Layout `Dual16` with the DSP instructions of Armv7E-M and Armv8-M. The module above defines the results.
//!
//! The loops are assembly because they need every register, and Rust's `asm!` makes neither r6 nor r7 available on
//! Thumb.
//!
//! # Rows of 8-bit weights
//!
//! ```text
//! for each block of 4 rows:
//!     acc[0..4] = start[0..4] + constant                     5 instructions
//!     for each group of 8 columns:                           23 instructions for 32 multiply-accumulates
//!         c1, c2, y1, y2 = 4 words of x                      one LDM, for all rows
//!         for each row, two per LDM of weights:
//!             v, w = 2 words
//!             acc = SMLAD(v, c1, acc)                        products of raw words
//!             acc = SMLAD(w, c2, acc)
//!             v = SXTAB16(y2, v)                             the remaining factors, in place
//!             w = SXTAB16(y1, w)
//!             acc = SMLAD(v, w, acc)
//!     out[0..4] = SMMULR(acc, multiplier)                    (256 acc * m + 2^31) >> 32: `requantize`
//!                 or its entry of the curve: saturated, looked up
//! ```
//!
//! | register | holds |
//! |---|---|
//! | r0 | next word of the blocks, each read once |
//! | r1 | next word of x; back to the start for every block |
//! | r2 to r5 | acc |
//! | r6 to r9 | weights of two rows |
//! | r10, r11, r12, lr | c1, c2, y1, y2 |
//!
//! # Rows of 4-bit weights
//!
//! Two rows per block; per group of 16 columns 29 instructions for 32 multiply-accumulates.
//!
//! ```text
//!     c_v, c_w, f_v, f_w = 4 words of x                      raw words, and their upper bytes
//!     for each row:
//!         v, w = 2 words
//!         acc = SMLAD(v, c_v, acc)
//!         acc = SMLAD(w, c_w, acc)
//!         acc = SMLAD(SXTAB16(f_w, v >> 8), SXTAB16(f_v, w >> 8), acc)
//!     a_v, b_v, a_w, b_w = 4 words of x                      even nibbles
//!     for each row and each of its words v:
//!         e = v & 0x0f0f0f0f
//!         acc = SMLAD(UXTAB16(a_v, e), UXTAB16(b_v, e >> 8), acc)
//! ```
//!
//! `LDR` reads activations at any address. These cores allow that unless `CCR.UNALIGN_TRP` is set or the memory is of
//! the device type.
//!
//! r2, r3: acc; r4 to r7: weights; r8 to r11: x; r12, lr: one product's factors.
//!
//! # Departures
//!
//! 1. Eight groups are unrolled. Counting them would need a register, and none is free, so each round loads the end
//!    from the stack. (Unrolling four would take 368 bytes less and 1.6 % more instructions.) If a block has another
//!    number of groups, it enters the first round in the middle, at a place that is computed once.
//! 2. Multipliers follow the weights in the stream, so they need no pointer.

#![allow(unsafe_code)]

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;

use core::arch::global_asm;
use core::ptr::null;

use crate::kernels::Out;

global_asm!(
    // The compiler's `target-cpu` does not apply to assembly at file level.
    concat!(".cpu ", env!("DSP_CPU")),
    r#"
    .syntax unified
    .thumb

    .macro DUAL16_ROW_I8 acc, v, w
        smlad   \acc, \v, r10, \acc
        smlad   \acc, \w, r11, \acc
        sxtab16 \v, lr, \v
        sxtab16 \w, r12, \w
        smlad   \acc, \v, \w, \acc
    .endm

    .macro DUAL16_GROUP_I8
        ldm.w   r1!, {r10, r11, r12, lr}
        ldm.w   r0!, {r6, r7, r8, r9}
        DUAL16_ROW_I8 r2, r6, r7
        DUAL16_ROW_I8 r3, r8, r9
        ldm.w   r0!, {r6, r7, r8, r9}
        DUAL16_ROW_I8 r4, r6, r7
        DUAL16_ROW_I8 r5, r8, r9
    .endm

    @ A requantized row through the curve at r11, to r10
    .macro DUAL16_CURVE row
        ssat    \row, #9, \row
        ubfx    \row, \row, #0, #9
        ldrb    \row, [r11, \row]
        strb    \row, [r10], #1
    .endm

    @ dual16_rows_i8(r0 blocks, r1 x, r2 x_end, r3 blocks_end, constant, out, curve); at least one group and one block
    .section .text.dual16_rows_i8, "ax", %progbits
    .global dual16_rows_i8
    .type dual16_rows_i8, %function
    .thumb_func
    .balign 4
dual16_rows_i8:
    push    {r4-r11, lr}            @ 36 bytes; [sp, #36] constant, [sp, #40] out
    sub     sp, #20
    str     r1, [sp, #0]            @ x
    str     r2, [sp, #4]            @ its end
    str     r3, [sp, #8]            @ end of the blocks
    @ Where to enter the first round: 92 bytes per group to be left out.
    sub     r2, r2, r1
    lsr     r2, r2, #4              @ groups
    rsb     r2, r2, #0
    and     r2, r2, #7              @ groups left out
    mov     r3, #92
    adr.w   r4, 1f
    mla     r2, r2, r3, r4
    orr     r2, r2, #1              @ Thumb
    str     r2, [sp, #12]
    ldr     r12, [sp, #56]          @ constant
0:  ldm.w   r0!, {r2, r3, r4, r5}
    add     r2, r2, r12
    add     r3, r3, r12
    add     r4, r4, r12
    add     r5, r5, r12
    ldr     pc, [sp, #12]
    .balign 4
1:  .rept 8
    DUAL16_GROUP_I8
    .endr
    ldr     r6, [sp, #4]
    cmp     r1, r6
    bne     1b
    ldm.w   r0!, {r6, r7, r8, r9}
    ldrd    r10, r11, [sp, #60]     @ out, curve
    smmulr  r2, r2, r6
    smmulr  r3, r3, r7
    smmulr  r4, r4, r8
    smmulr  r5, r5, r9
    cmp     r11, #0
    beq     2f
    DUAL16_CURVE r2
    DUAL16_CURVE r3
    DUAL16_CURVE r4
    DUAL16_CURVE r5
    b       3f
2:  stm.w   r10!, {r2, r3, r4, r5}
3:  ldr     r6, [sp, #8]
    str     r10, [sp, #60]
    ldr     r12, [sp, #56]
    ldr     r1, [sp, #0]
    cmp     r0, r6
    bne     0b
    add     sp, #20
    pop     {r4-r11, pc}
    .size dual16_rows_i8, . - dual16_rows_i8

    @ r0 = dual16_prepare_i8(r0 x, r1 x_end, r2 prepared); x_end - x a multiple of 8, not 0
    .section .text.dual16_prepare_i8, "ax", %progbits
    .global dual16_prepare_i8
    .type dual16_prepare_i8, %function
    .thumb_func
    .balign 4
dual16_prepare_i8:
    push    {r4-r9}
    mvn     r3, #0x00ff00ff
    mov     r12, #0
0:  ldr     r4, [r0], #4            @ x0 to x3; need not be aligned
    ldr     r5, [r0], #4            @ x4 to x7
    sxtb16  r6, r4, ror #8          @ x1, x3
    sxtb16  r7, r5, ror #8          @ x5, x7
    and     r4, r3, r4, lsl #8      @ 256 x0, 256 x2
    and     r5, r3, r5, lsl #8
    ssub16  r8, r4, r6
    ssub16  r9, r5, r7
    smlad   r12, r8, r9, r12
    stm     r2!, {r6, r7, r8, r9}
    cmp     r0, r1
    bne     0b
    rsb     r0, r12, #0
    pop     {r4-r9}
    bx      lr
    .size dual16_prepare_i8, . - dual16_prepare_i8

    .macro DUAL16_RAW_I4 acc, v, w
        smlad   \acc, \v, r8, \acc
        smlad   \acc, \w, r9, \acc
        sxtab16 r12, r11, \v, ror #8
        sxtab16 lr, r10, \w, ror #8
        smlad   \acc, r12, lr, \acc
    .endm

    .macro DUAL16_EVEN_I4 acc, w, second, first
        and     \w, \w, #0x0f0f0f0f
        uxtab16 r12, \second, \w
        uxtab16 \w, \first, \w, ror #8
        smlad   \acc, r12, \w, \acc
    .endm

    .macro DUAL16_GROUP_I4
        ldm.w   r1!, {r8, r9, r10, r11}
        ldm.w   r0!, {r4, r5, r6, r7}
        DUAL16_RAW_I4 r2, r4, r5
        DUAL16_RAW_I4 r3, r6, r7
        ldm.w   r1!, {r8, r9, r10, r11}
        DUAL16_EVEN_I4 r2, r4, r8, r9
        DUAL16_EVEN_I4 r2, r5, r10, r11
        DUAL16_EVEN_I4 r3, r6, r8, r9
        DUAL16_EVEN_I4 r3, r7, r10, r11
    .endm

    @ dual16_rows_i4(r0 blocks, r1 x, r2 x_end, r3 blocks_end, constant, out, curve); at least one group and one block
    .section .text.dual16_rows_i4, "ax", %progbits
    .global dual16_rows_i4
    .type dual16_rows_i4, %function
    .thumb_func
    .balign 4
dual16_rows_i4:
    push    {r4-r11, lr}            @ 36 bytes; [sp, #36] constant, [sp, #40] out
    sub     sp, #20
    str     r1, [sp, #0]            @ x
    str     r2, [sp, #4]            @ its end
    str     r3, [sp, #8]            @ end of the blocks
    @ Where to enter the first round: 116 bytes per group to be left out.
    sub     r2, r2, r1
    lsr     r2, r2, #5              @ groups
    rsb     r2, r2, #0
    and     r2, r2, #7              @ groups left out
    mov     r3, #116
    adr.w   r4, 1f
    mla     r2, r2, r3, r4
    orr     r2, r2, #1              @ Thumb
    str     r2, [sp, #12]
0:  ldr     r12, [sp, #56]          @ constant
    ldm     r0!, {r2, r3}
    add     r2, r2, r12
    add     r3, r3, r12
    ldr     pc, [sp, #12]
    .balign 4
1:  .rept 8
    DUAL16_GROUP_I4
    .endr
    ldr     r4, [sp, #4]
    cmp     r1, r4
    bne     1b
    ldm     r0!, {r4, r5}
    ldrd    r10, r11, [sp, #60]     @ out, curve
    lsl     r2, r2, #4
    lsl     r3, r3, #4
    smmulr  r2, r2, r4
    smmulr  r3, r3, r5
    cmp     r11, #0
    beq     2f
    DUAL16_CURVE r2
    DUAL16_CURVE r3
    b       3f
2:  stm     r10!, {r2, r3}
3:  ldr     r6, [sp, #8]
    str     r10, [sp, #60]
    ldr     r1, [sp, #0]
    cmp     r0, r6
    bne     0b
    add     sp, #20
    pop     {r4-r11, pc}
    .size dual16_rows_i4, . - dual16_rows_i4

    @ Eight columns: raw to [r2, at], upper to [r2, at + 8], second and first to [r2, 2 at + 16]
    .macro DUAL16_PREPARE_I4 at, upper
        ldr     r4, [r0], #4            @ x0 to x3; need not be aligned
        ldr     r5, [r0], #4            @ x4 to x7
        sxtb16  r6, r4, ror #8          @ x1, x3
        sxtb16  r7, r5, ror #8          @ x5, x7
        and     \upper, r3, r4          @ 256 x1, 256 x3
        ssub16  \upper, r7, \upper
        str     r6, [r2, #\at]
        str     \upper, [r2, #\at + 8]
        eor     r4, r4, #0x80808080     @ x + 128 from here on; the caller takes its constant back
        eor     r5, r5, #0x80808080
        usada8  r10, r4, lr, r10
        and     r4, r9, r4, lsl #4      @ 16 x0, 16 x2
        and     r5, r9, r5, lsl #4      @ 16 x4, 16 x6
        smlad   r12, r5, r11, r12       @ 8 * 16 (x + 128)
        ssub16  r4, r4, r6
        ssub16  r5, r5, r7
        smlad   r12, r4, r5, r12
        str     r5, [r2, #2 * \at + 16]
        str     r4, [r2, #2 * \at + 20]
    .endm

    @ r0 = dual16_prepare_i4(r0 x, r1 x_end, r2 prepared); x_end - x a multiple of 16, not 0
    .section .text.dual16_prepare_i4, "ax", %progbits
    .global dual16_prepare_i4
    .type dual16_prepare_i4, %function
    .thumb_func
    .balign 4
dual16_prepare_i4:
    push    {r4-r11, lr}
    mov     r3, #0xff00ff00
    movw    r9, #0x0ff0
    movt    r9, #0x0ff0
    mov     r10, #0
    mov     r11, #0x00080008
    mov     r12, #0
    mov     lr, #0
0:  DUAL16_PREPARE_I4 0, r8
    DUAL16_PREPARE_I4 4, r8
    ldr     r6, [r2, #8]            @ upper of the first eight
    smlad   r12, r6, r8, r12
    adds    r2, #32
    cmp     r0, r1
    bne     0b
    add     r12, r12, r10, lsl #7   @ 16 * 8 (x + 128)
    rsb     r0, r12, #0
    pop     {r4-r11, pc}
    .size dual16_prepare_i4, . - dual16_prepare_i4
    "#,
    options(raw)
);

/// Returns the blocks of the rows for which `out` has room, or `None` if there are fewer blocks or if the assembly does
/// not allow a length.
fn fitting(
    blocks: &[u32],
    block_words: usize,
    prepared: usize,
    group: usize,
    out: usize,
    rows: usize,
) -> Option<&[u32]> {
    let count = out / rows;
    let fits = prepared > 0 && prepared.is_multiple_of(group) && count > 0 && out == count * rows;
    blocks.get(..count.checked_mul(block_words)?).filter(|_| fits)
}

/// Returns the address and number of the outputs, and the curve or null.
fn parts(out: Out<'_>) -> (*mut u8, usize, *const i8) {
    match out {
        Out::Rows(out) => (out.as_mut_ptr().cast(), out.len(), null()),
        Out::Curve(out, curve) => (out.as_mut_ptr().cast(), out.len(), curve.0.as_ptr()),
    }
}
