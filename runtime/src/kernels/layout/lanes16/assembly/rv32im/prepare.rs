//! Prepares whole groups of activations on RV32IM.
#![allow(unsafe_code, reason = "assembly")]

use core::arch::global_asm;

use crate::kernels::rv32im::architecture;

// runtime_lanes16_prepare_i8(x, prepared, end of x), whole groups
//
//     c = x0; d = x1 - (x0 << 8); k = (x0 + x1) * factor + 2^15
//
// a0 x, a1 = prepared, a2 = end of x, a3 a4 a5 = c d k; a6 = factor = -128 (1 + 2^16), a7 = 2^15.
// 10 instructions for two columns, and 3 per turn of four columns.
global_asm!(
    architecture!(),
    r#"
    .macro LANES16_RV32_PREPARE column
    lb      a3, \column(a0)
    lb      a4, \column+1(a0)
    slli    t0, a3, 8
    add     a5, a3, a4
    mul     a5, a5, a6
    sub     a4, a4, t0
    sw      a3, 6*\column(a1)
    sw      a4, 6*\column+4(a1)
    add     a5, a5, a7
    sw      a5, 6*\column+8(a1)
    .endm

    .section .text.runtime_lanes16_prepare_i8,"ax",@progbits
    .global runtime_lanes16_prepare_i8
    .type   runtime_lanes16_prepare_i8,@function
    .p2align 2
runtime_lanes16_prepare_i8:
    li      a6, 0xff7fff80
    li      a7, 0x8000
1:  LANES16_RV32_PREPARE 0
    LANES16_RV32_PREPARE 2
    addi    a0, a0, 4
    addi    a1, a1, 24
    bne     a0, a2, 1b
    ret
    .size   runtime_lanes16_prepare_i8, . - runtime_lanes16_prepare_i8
    .text
    .option pop
    "#,
    options(raw)
);

// runtime_lanes16_prepare_i4(x, prepared, end of x), whole groups
//
// a0 x, a1 = prepared, a2 = end of x; a3 a4 a5 t0 = c0 c1 c2 c3; t1 scratch, t2 = end of the group's values, t3 = sum;
// a6 = factor = -8 (1 + 2^16), a7 = 2^15. 19 instructions for four columns, and 8 per group.
global_asm!(
    architecture!(),
    r#"
    .section .text.runtime_lanes16_prepare_i4,"ax",@progbits
    .global runtime_lanes16_prepare_i4
    .type   runtime_lanes16_prepare_i4,@function
    .p2align 2
runtime_lanes16_prepare_i4:
    li      a6, 0xfff7fff8
    li      a7, 0x8000
1:  li      t3, 0
    addi    t2, a0, 32
    addi    a1, a1, 4
2:  lb      a3, 0(a0)
    lb      a4, 1(a0)
    lb      a5, 2(a0)
    lb      t0, 3(a0)
    slli    t1, a3, 4
    add     t3, t3, a3
    add     t3, t3, a4
    sub     a4, a4, t1
    add     t3, t3, a5
    add     t3, t3, t0
    slli    a5, a5, 24
    slli    t0, t0, 20
    sw      a3, 0(a1)
    sw      a4, 4(a1)
    sw      a5, 8(a1)
    sw      t0, 12(a1)
    addi    a0, a0, 4
    addi    a1, a1, 16
    bne     a0, t2, 2b
    mul     t3, t3, a6
    add     t3, t3, a7
    sw      t3, -132(a1)
    bne     a0, a2, 1b
    ret
    .size   runtime_lanes16_prepare_i4, . - runtime_lanes16_prepare_i4
    .text
    .option pop
    "#,
    options(raw)
);
