//! Layout `Lanes16` for Armv7-M (Cortex-M3) and Armv8-M mainline: the algorithm of `portable` in assembly.
//!
//! The loop of `rows_i8`, for two columns of four rows, where `w` and `x` move through the block and the prepared
//! input:
//!
//! ```text
//! R, S = w[0..2]; c, d, k = x[0..3]
//! P = c * R + k; P += d * rev16(R); total01 += P; high01 += P >> 16
//! P = c * S + k; P += d * rev16(S); total23 += P; high23 += P >> 16
//! ```
//!
//! Why and how it is written in assembly:
//!
//! 1. All of r0 to r12 and lr are in use, which compilers do not manage without going through memory. The ends of loops
//!    are on the stack.
//! 2. `LDM` loads four words of weights, enough for two steps, and three of input. Four rows share the input.
//! 3. `MLA` adds without overwriting a factor, and the shift before an addition is free: five instructions for four
//!    products.
//! 4. Compilers use `SMLAL`, which takes 4 to 7 cycles on Cortex-M3; `MLA` takes 2.
//!
//! Requantizing: `acc * m / 2^24 = (2^8 acc) m / 2^32`, and `2^8 acc` fits, because `|acc| < 2^23`. So the rounded
//! result is the upper half of one long multiplication plus the top bit of the lower half.
#![allow(unsafe_code, reason = "the kernels are assembly")]

use core::arch::global_asm;

mod prepare;

// LANES16_SHIFTED total01, high01, total23, high23: r2 to r5 = the four sums times 2^8.
// LANES16_REQUANTIZE acc, multiplier, scratch: acc = requantize(acc / 2^8, multiplier).
global_asm!(
    r#"
    .macro LANES16_SHIFTED total01, high01, total23, high23
    lsl     r2, \total01, #8
    sub     r2, r2, \high01, lsl #24
    lsl     r3, \high01, #8
    lsl     r4, \total23, #8
    sub     r4, r4, \high23, lsl #24
    lsl     r5, \high23, #8
    .endm

    .macro LANES16_REQUANTIZE acc, multiplier, scratch
    smull   \scratch, \acc, \acc, \multiplier
    lsls    \scratch, \scratch, #1
    adc     \acc, \acc, #0
    .endm
    "#,
    options(raw)
);

// runtime_lanes16_i8(blocks, prepared, out, prepared_end, out_end)
//
// r0 w, r1 x, r2 r3 r4 = c d k, r5 r6 r7 r8 = R S of two steps, r9 = P; r10 r11 r12 lr = total01 high01 total23 high23.
// Stack: prepared, out, end of prepared, r4 to r11, lr, out_end.
//
// 23 instructions for 16 products, and 3 per turn of 64 products: 1.48 per product.
global_asm!(
    r#"
    .macro LANES16_V7M_PAIR word, total, high
    mla     r9, \word, r2, r4
    rev16   \word, \word
    mla     r9, \word, r3, r9
    add     \total, r9
    add     \high, \high, r9, asr #16
    .endm

    .section .text.runtime_lanes16_i8,"ax",%progbits
    .global runtime_lanes16_i8
    .type   runtime_lanes16_i8,%function
    .p2align 2
    .thumb_func
runtime_lanes16_i8:
    push    {r4-r11, lr}
    push    {r1-r3}
1:  ldmia   r0!, {r10, r11, r12, lr}
    ldr     r1, [sp]
2:  .rept   4
    ldmia   r0!, {r5-r8}
    ldmia   r1!, {r2-r4}
    LANES16_V7M_PAIR r5, r10, r11
    LANES16_V7M_PAIR r6, r12, lr
    ldmia   r1!, {r2-r4}
    LANES16_V7M_PAIR r7, r10, r11
    LANES16_V7M_PAIR r8, r12, lr
    .endr
    ldr     r9, [sp, #8]
    cmp     r1, r9
    bne     2b
    ldmia   r0!, {r6-r9}
    LANES16_SHIFTED r10, r11, r12, lr
    LANES16_REQUANTIZE r2, r6, r10
    LANES16_REQUANTIZE r3, r7, r10
    LANES16_REQUANTIZE r4, r8, r10
    LANES16_REQUANTIZE r5, r9, r10
    ldr     r1, [sp, #4]
    stmia   r1!, {r2-r5}
    str     r1, [sp, #4]
    ldr     r9, [sp, #48]
    cmp     r1, r9
    bne     1b
    add     sp, #12
    pop     {r4-r11, pc}
    .size   runtime_lanes16_i8, . - runtime_lanes16_i8
    .text
    "#,
    options(raw)
);

// runtime_lanes16_i4(blocks, prepared, out, prepared_end, out_end)
//
// A turn is 32 columns: k starts both sums, then eight times four columns, then the sums are added to the accumulators,
// which are in memory. All steps work in place, because swapping bytes and selecting the odd columns commute:
//
//     sum += c0 * R; R = rev16(R);           sum += c1 * R
//     R = (R >> 4) & mask;                   sum += c3 * R          R: the odd columns, swapped
//     R = rev16(R);                          sum += c2 * R
//
// r0 w, r1 x, r2 to r5 = c0 to c3, r6 to r9 = R S of two steps, then the accumulators; r10 mask, r11 r12 = sum01 sum23,
// lr = end of prepared. Stack: total01 high01 total23 high23, prepared, out, r4 to r11, lr, out_end.
//
// 31 instructions for 32 products, and 10 per turn of 128 products: 1.05 per product.
global_asm!(
    r#"
    .macro LANES16_V7M_NIBBLES word, sum
    mla     \sum, \word, r2, \sum
    rev16   \word, \word
    mla     \sum, \word, r3, \sum
    and     \word, r10, \word, lsr #4
    mla     \sum, \word, r5, \sum
    rev16   \word, \word
    mla     \sum, \word, r4, \sum
    .endm

    .section .text.runtime_lanes16_i4,"ax",%progbits
    .global runtime_lanes16_i4
    .type   runtime_lanes16_i4,%function
    .p2align 2
    .thumb_func
runtime_lanes16_i4:
    push    {r4-r11, lr}
    push    {r1, r2}
    sub     sp, #16
    mov     lr, r3
    mov     r10, #0x0f0f0f0f
1:  ldmia   r0!, {r6-r9}
    ldr     r1, [sp, #16]
    stmia   sp, {r6-r9}
2:  ldr     r11, [r1], #4
    mov     r12, r11
    .rept   4
    ldmia   r0!, {r6-r9}
    ldmia   r1!, {r2-r5}
    LANES16_V7M_NIBBLES r6, r11
    LANES16_V7M_NIBBLES r7, r12
    ldmia   r1!, {r2-r5}
    LANES16_V7M_NIBBLES r8, r11
    LANES16_V7M_NIBBLES r9, r12
    .endr
    ldmia   sp, {r6-r9}
    add     r6, r11
    add     r7, r7, r11, asr #16
    add     r8, r12
    add     r9, r9, r12, asr #16
    stmia   sp, {r6-r9}
    cmp     r1, lr
    bne     2b
    LANES16_SHIFTED r6, r7, r8, r9
    ldmia   r0!, {r6-r9}
    LANES16_REQUANTIZE r2, r6, r11
    LANES16_REQUANTIZE r3, r7, r11
    LANES16_REQUANTIZE r4, r8, r11
    LANES16_REQUANTIZE r5, r9, r11
    ldr     r1, [sp, #20]
    stmia   r1!, {r2-r5}
    str     r1, [sp, #20]
    ldr     r9, [sp, #60]
    cmp     r1, r9
    bne     1b
    add     sp, #24
    pop     {r4-r11, pc}
    .size   runtime_lanes16_i4, . - runtime_lanes16_i4
    .text
    "#,
    options(raw)
);
