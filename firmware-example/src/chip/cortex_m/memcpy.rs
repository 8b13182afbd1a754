//! Copies and clears memory in a few instructions, for the whole program.
//!
//! The compiler's own routines are written for speed and take 1.2 kB of flash. No other file, such as a C library, may
//! define these symbols. The compiler calls them for all data it moves, including the rings' entries, which are aligned
//! to words and copied four words at a time.
//!
//! The routines are here and not in `runtime`, because a library must not choose them for the programs that use it.

#![allow(unsafe_code, reason = "assembly")]

use core::arch::global_asm;

// All of these instructions are in Armv6-M, and therefore in every Cortex-M core.
global_asm!(
    r#"
    .syntax unified
    .thumb

    @ r0 = memcpy(r0 to, r1 from, r2 bytes); the others give nothing
    .section .text.runtime_memcpy, "ax", %progbits
    .global memcpy, __aeabi_memcpy, __aeabi_memcpy4, __aeabi_memcpy8
    .type memcpy, %function
    .thumb_func
    .balign 4
memcpy:
    .thumb_set __aeabi_memcpy, memcpy
    .thumb_set __aeabi_memcpy4, memcpy
    .thumb_set __aeabi_memcpy8, memcpy
    push    {{r0, r4, r5, r6, lr}}
    movs    r3, r0
    orrs    r3, r1
    lsls    r3, r3, #30
    bne     3f                      @ not at whole words, both
    b       1f
0:  ldmia   r1!, {{r3, r4, r5, r6}}
    stmia   r0!, {{r3, r4, r5, r6}}
1:  subs    r2, #16
    bhs     0b
    adds    r2, #12
    blo     2f
4:  ldmia   r1!, {{r3}}
    stmia   r0!, {{r3}}
    subs    r2, #4
    bhs     4b
2:  adds    r2, #4
3:  subs    r2, #1
    blo     6f
    ldrb    r3, [r1]
    strb    r3, [r0]
    adds    r0, #1
    adds    r1, #1
    b       3b
6:  pop     {{r0, r4, r5, r6, pc}}
    .size memcpy, . - memcpy

    @ r0 = memset(r0 to, r1 byte, r2 bytes); __aeabi_memset(r0 to, r1 bytes, r2 byte), __aeabi_memclr(r0 to, r1 bytes)
    .section .text.runtime_memset, "ax", %progbits
    .global memset, __aeabi_memset, __aeabi_memset4, __aeabi_memset8, __aeabi_memclr, __aeabi_memclr4, __aeabi_memclr8
    .type memset, %function
    .thumb_func
    .balign 4
memset:
    movs    r3, r1
    movs    r1, r2
    movs    r2, r3
    b       0f
    .type __aeabi_memclr, %function
    .thumb_func
__aeabi_memclr:
    movs    r2, #0
    .type __aeabi_memset, %function
    .thumb_func
__aeabi_memset:
    uxtb    r2, r2
    lsls    r3, r2, #8
    orrs    r2, r3
    lsls    r3, r2, #16
    orrs    r2, r3
    movs    r3, r0
    orrs    r3, r1
    lsls    r3, r3, #30
    bne     2f                      @ not whole words
    push    {{r0, lr}}
    movs    r3, r2
    b       1f
0:  stmia   r0!, {{r2, r3}}
1:  subs    r1, #8
    bhs     0b
    adds    r1, #8
    beq     3f
    str     r2, [r0]
3:  pop     {{r0, pc}}
4:  strb    r2, [r0, r1]
2:  subs    r1, #1
    bhs     4b
    bx      lr
    .thumb_set __aeabi_memclr4, __aeabi_memclr
    .thumb_set __aeabi_memclr8, __aeabi_memclr
    .thumb_set __aeabi_memset4, __aeabi_memset
    .thumb_set __aeabi_memset8, __aeabi_memset
    .size memset, . - memset
    "#
);
