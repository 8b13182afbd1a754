//! Routines for RISC-V with 32 bits and multiplication (RV32IM).
//!
//! Compiled for size, a loop over values spends a third of its instructions on pointers. The assembly computes two or
//! four values in a turn, and requantizes by one long multiplication: see the kernels of layout `Lanes16`.
#![allow(unsafe_code, reason = "assembly")]

use core::arch::global_asm;

// The names below hide those of the definitions.
pub use super::portable::*;
use crate::activation::Curve;
use crate::kernels::rv32im::architecture;

unsafe extern "C" {
    /// # Safety
    /// `values` to `end` and as many gates are readable, and the values writable.
    fn runtime_gate_i8(values: *mut i8, gates: *const i8, end: *mut i8);

    /// # Safety
    /// 1. `out` to `end`: at least one value, writable.
    /// 2. `bias`, `multiplier`, `older` and `newer`: the same number of readable values.
    /// 3. `curve`: 512 readable values.
    fn runtime_look_up_pair(
        bias: *const i32,
        multiplier: *const i32,
        older: *const i8,
        newer: *const i8,
        curve: *const i8,
        out: *mut i8,
        end: *mut i8,
    );
}

/// Computes [`crate::kernels::routine::portable::gate_i8`].
pub fn gate_i8(values: &mut [i8], gates: &[i8]) {
    let len = values.len().min(gates.len());
    if let Some(values) = values.get_mut(..len) {
        let values = values.as_mut_ptr_range();
        // SAFETY: `gates` has `len` values or more.
        unsafe { runtime_gate_i8(values.start, gates.as_ptr(), values.end) }
    }
}

/// Computes [`crate::kernels::routine::portable::look_up_pair`].
pub fn look_up_pair(bias: &[i32], multiplier: &[i32], entries: [&[i8]; 2], curve: &Curve, out: &mut [i8]) {
    let [older, newer] = entries;
    let len = out.len().min(bias.len()).min(multiplier.len()).min(older.len()).min(newer.len());
    if let Some(out) = out.get_mut(..len).filter(|out| !out.is_empty()) {
        let (curve, out) = (curve.0.as_ptr(), out.as_mut_ptr_range());
        let (bias, multiplier) = (bias.as_ptr(), multiplier.as_ptr());
        // SAFETY: 1. checked, and `out` is borrowed mutably. 2. `len` is the length of the shortest. 3. A curve has 512
        // entries.
        unsafe { runtime_look_up_pair(bias, multiplier, older.as_ptr(), newer.as_ptr(), curve, out.start, out.end) }
    }
}

// runtime_gate_i8(values, gates, end)
//
// a0 values, a1 gates, a2 end; a3 = value, a4 = gate; a5 = 258, a6 = 2^15, a7 = end of the whole turns.
// 8 instructions per value, and 3 per turn of four values.
global_asm!(
    architecture!(),
    r#"
    .macro RV32_GATE at
    lb      a3, \at(a0)
    lb      a4, \at(a1)
    addi    a4, a4, 127
    mul     a3, a3, a4
    mul     a3, a3, a5
    add     a3, a3, a6
    srli    a3, a3, 16
    sb      a3, \at(a0)
    .endm

    .section .text.runtime_gate_i8,"ax",@progbits
    .global runtime_gate_i8
    .type   runtime_gate_i8,@function
    .p2align 2
runtime_gate_i8:
    li      a5, 258
    li      a6, 0x8000
    sub     a7, a2, a0
    andi    a7, a7, -4
    add     a7, a7, a0
    j       2f
1:  RV32_GATE 0
    RV32_GATE 1
    RV32_GATE 2
    RV32_GATE 3
    addi    a0, a0, 4
    addi    a1, a1, 4
2:  bne     a0, a7, 1b
    j       4f
3:  RV32_GATE 0
    addi    a0, a0, 1
    addi    a1, a1, 1
4:  bne     a0, a2, 3b
    ret
    .size   runtime_gate_i8, . - runtime_gate_i8
    .text
    .option pop
    "#,
    options(raw)
);

// runtime_look_up_pair(bias, multiplier, older, newer, curve, out, end)
//
// a0 bias, a1 multiplier, a2 older, a3 newer, a4 = curve, a5 out, a6 = end; t0 = row, t1 t2 = entries, t3 = multiplier;
// t4 = 512. A turn is two rows; an odd number of rows begins with the second half of a turn.
// 17 instructions per row, 3 more beyond the ends of the curve, and 6 per turn of two rows.
global_asm!(
    architecture!(),
    r#"
    .macro RV32_LOOK_UP at, beyond
    lw      t0, 4*\at(a0)
    lb      t1, \at(a2)
    lb      t2, \at(a3)
    lw      t3, 4*\at(a1)
    add     t0, t0, t1
    add     t0, t0, t2
    slli    t0, t0, 8
    slli    t3, t3, 1
    mulhsu  t0, t0, t3
    addi    t0, t0, 1
    srai    t0, t0, 1
    addi    t1, t0, 256
    bgeu    t1, t4, \beyond
    .endm

    .macro RV32_ENTRY at
    andi    t0, t0, 511
    add     t0, t0, a4
    lbu     t0, 0(t0)
    sb      t0, \at(a5)
    .endm

    .section .text.runtime_look_up_pair,"ax",@progbits
    .global runtime_look_up_pair
    .type   runtime_look_up_pair,@function
    .p2align 2
runtime_look_up_pair:
    li      t4, 512
    sub     t0, a6, a5
    andi    t0, t0, 1
    beqz    t0, 1f
    addi    a0, a0, -4
    addi    a1, a1, -4
    addi    a2, a2, -1
    addi    a3, a3, -1
    addi    a5, a5, -1
    j       3f
1:  RV32_LOOK_UP 0, 5f
2:  RV32_ENTRY 0
3:  RV32_LOOK_UP 1, 6f
4:  RV32_ENTRY 1
    addi    a0, a0, 8
    addi    a1, a1, 8
    addi    a2, a2, 2
    addi    a3, a3, 2
    addi    a5, a5, 2
    bne     a5, a6, 1b
    ret
5:  srai    t0, t0, 31              # beyond the ends: 255 or -256
    xori    t0, t0, 255
    j       2b
6:  srai    t0, t0, 31
    xori    t0, t0, 255
    j       4b
    .size   runtime_look_up_pair, . - runtime_look_up_pair
    .text
    .option pop
    "#,
    options(raw)
);
