//! Prepares whole groups of activations on Armv6-M.
#![allow(unsafe_code, reason = "assembly")]

use core::arch::global_asm;

// runtime_lanes16_prepare_i8(x, prepared, end of x), whole groups
//
//     c = x0 - (x1 << 8); c += c << 16; d = x1 - (c << 8); k = (x0 + x1) * factor + 2^15
//
// r0 = end of x, r1 = prepared, r2 scratch, r3 r4 r5 = c d k, r6 = - values left, r7 = factor = -128 (1 + 2^16), r12 =
// 2^15. 15 instructions for two columns.
global_asm!(
    r#"
    .macro LANES16_V6M_COEFFICIENTS low, high, scratch
    lsls    \scratch, \high, #8
    subs    \low, \low, \scratch
    lsls    \scratch, \low, #16
    adds    \low, \low, \scratch
    lsls    \scratch, \low, #8
    subs    \high, \high, \scratch
    .endm

    .macro LANES16_V6M_FACTOR shift
    movs    r7, #1
    lsls    r6, r7, #16
    adds    r7, r7, r6
    lsls    r7, r7, #\shift
    rsbs    r7, r7, #0
    movs    r6, #1
    lsls    r6, r6, #15
    mov     r12, r6
    subs    r6, r0, r2
    mov     r0, r2
    .endm

    .section .text.runtime_lanes16_prepare_i8,"ax",%progbits
    .global runtime_lanes16_prepare_i8
    .type   runtime_lanes16_prepare_i8,%function
    .p2align 2
    .thumb_func
runtime_lanes16_prepare_i8:
    push    {r4-r7, lr}
    LANES16_V6M_FACTOR 7
1:  .rept   2
    ldrsb   r3, [r0, r6]
    adds    r6, #1
    ldrsb   r4, [r0, r6]
    adds    r6, #1
    adds    r5, r3, r4
    LANES16_V6M_COEFFICIENTS r3, r4, r2
    muls    r5, r7, r5
    add     r5, r12
    stmia   r1!, {r3-r5}
    .endr
    cmp     r6, #0
    bne     1b
    pop     {r4-r7, pc}
    .size   runtime_lanes16_prepare_i8, . - runtime_lanes16_prepare_i8
    .text
    "#,
    options(raw)
);

// runtime_lanes16_prepare_i4(x, prepared, end of x), whole groups
//
// r0 = end of x, r1 = prepared, r2 r3 r4 r5 = c0 c1 c2 c3 from x0 x2 x1 x3, r6 = - values left, r7 scratch;
// r8 = sum, r9 = address of k, r10 = end of the group, r11 = factor = -8 (1 + 2^16), r12 = 2^15.
// 31 instructions for four columns, and 17 per group.
global_asm!(
    r#"
    .section .text.runtime_lanes16_prepare_i4,"ax",%progbits
    .global runtime_lanes16_prepare_i4
    .type   runtime_lanes16_prepare_i4,%function
    .p2align 2
    .thumb_func
runtime_lanes16_prepare_i4:
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r4-r7}
    LANES16_V6M_FACTOR 3
    mov     r11, r7
1:  movs    r7, #0
    mov     r8, r7
    mov     r9, r1
    movs    r7, r1
    adds    r7, #132
    mov     r10, r7
    adds    r1, #4
2:  ldrsb   r2, [r0, r6]
    adds    r6, #1
    ldrsb   r4, [r0, r6]
    adds    r6, #1
    ldrsb   r3, [r0, r6]
    adds    r6, #1
    ldrsb   r5, [r0, r6]
    adds    r6, #1
    add     r8, r2
    add     r8, r3
    add     r8, r4
    add     r8, r5
    lsls    r7, r2, #4
    subs    r4, r4, r7
    lsls    r7, r3, #4
    subs    r5, r5, r7
    LANES16_V6M_COEFFICIENTS r2, r3, r7
    LANES16_V6M_COEFFICIENTS r4, r5, r7
    stmia   r1!, {r2-r5}
    cmp     r1, r10
    bne     2b
    mov     r2, r8
    mov     r3, r11
    muls    r2, r3, r2
    add     r2, r12
    mov     r3, r9
    str     r2, [r3]
    cmp     r6, #0
    bne     1b
    pop     {r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {r4-r7, pc}
    .size   runtime_lanes16_prepare_i4, . - runtime_lanes16_prepare_i4
    .text
    "#,
    options(raw)
);
