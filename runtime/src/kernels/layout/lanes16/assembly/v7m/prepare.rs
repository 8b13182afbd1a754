//! Prepares whole groups of activations on Armv7-M.
#![allow(unsafe_code, reason = "assembly")]

use core::arch::global_asm;

// runtime_lanes16_prepare_i8(x, prepared, end of x), whole groups
//
//     c = x0 - (x1 << 8); c += c << 16; d = x1 - (c << 8); k = (x0 + x1) * factor + 2^15
//
// r0 x, r1 = prepared, r2 = end of x, r4 r5 r6 = c d k; r12 = factor = -128 (1 + 2^16), lr = 2^15.
// 9 instructions for two columns.
global_asm!(
    r#"
    .macro LANES16_V7M_COEFFICIENTS low, high
    sub     \low, \low, \high, lsl #8
    add     \low, \low, \low, lsl #16
    sub     \high, \high, \low, lsl #8
    .endm

    .section .text.runtime_lanes16_prepare_i8,"ax",%progbits
    .global runtime_lanes16_prepare_i8
    .type   runtime_lanes16_prepare_i8,%function
    .p2align 2
    .thumb_func
runtime_lanes16_prepare_i8:
    push    {r4-r7, lr}
    movw    r12, #0xff80
    movt    r12, #0xff7f
    mov     lr, #0x8000
1:  .rept   2
    ldrsb   r4, [r0], #1
    ldrsb   r5, [r0], #1
    add     r6, r4, r5
    LANES16_V7M_COEFFICIENTS r4, r5
    mla     r6, r6, r12, lr
    stmia   r1!, {r4-r6}
    .endr
    cmp     r0, r2
    bne     1b
    pop     {r4-r7, pc}
    .size   runtime_lanes16_prepare_i8, . - runtime_lanes16_prepare_i8
    .text
    "#,
    options(raw)
);

// runtime_lanes16_prepare_i4(x, prepared, end of x), whole groups
//
// r0 x, r1 = prepared, r2 = end of x, r3 = end of the group's values, r4 r5 r6 r7 = c0 c1 c2 c3 from x0 x2 x1 x3,
// r8 = sum; r12 = factor = -8 (1 + 2^16), lr = 2^15. 19 instructions for four columns, and 7 per group.
global_asm!(
    r#"
    .section .text.runtime_lanes16_prepare_i4,"ax",%progbits
    .global runtime_lanes16_prepare_i4
    .type   runtime_lanes16_prepare_i4,%function
    .p2align 2
    .thumb_func
runtime_lanes16_prepare_i4:
    push    {r4-r8, lr}
    movw    r12, #0xfff8
    movt    r12, #0xfff7
    mov     lr, #0x8000
1:  movs    r8, #0
    add     r3, r0, #32
    adds    r1, #4
2:  ldrsb   r4, [r0], #1
    ldrsb   r6, [r0], #1
    ldrsb   r5, [r0], #1
    ldrsb   r7, [r0], #1
    add     r8, r4
    add     r8, r5
    add     r8, r6
    add     r8, r7
    sub     r6, r6, r4, lsl #4
    sub     r7, r7, r5, lsl #4
    LANES16_V7M_COEFFICIENTS r4, r5
    LANES16_V7M_COEFFICIENTS r6, r7
    stmia   r1!, {r4-r7}
    cmp     r0, r3
    bne     2b
    mla     r8, r8, r12, lr
    str     r8, [r1, #-132]
    cmp     r0, r2
    bne     1b
    pop     {r4-r8, pc}
    .size   runtime_lanes16_prepare_i4, . - runtime_lanes16_prepare_i4
    .text
    "#,
    options(raw)
);
