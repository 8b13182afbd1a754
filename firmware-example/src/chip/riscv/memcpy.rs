//! Copies and clears memory in a few instructions, for the whole program.
//!
//! The compiler's own routines are written for speed and take 1.3 kB of flash. No other file, such as a C library, may
//! define these symbols. The compiler calls them for all data it moves, including the rings' entries, which are aligned
//! to words and copied four words at a time.
//!
//! The routines are here and not in `runtime`, because a library must not choose them for the programs that use it.

#![allow(unsafe_code, reason = "assembly")]

use core::arch::global_asm;

// All of these instructions are in RV32I. The assembler shortens them where the target allows it. Lengths are below
// 2^31: no chip has as much memory.
global_asm!(
    r#"
    # a0 = memcpy(a0 to, a1 from, a2 bytes)
    .section .text.runtime_memcpy, "ax", @progbits
    .global memcpy
    .type memcpy, @function
memcpy:
    mv      a5, a0
    or      a3, a0, a1
    andi    a3, a3, 3
    bnez    a3, 4f                  # not at whole words, both
    addi    a2, a2, -16
    bltz    a2, 1f
0:  lw      a3, 0(a1)
    lw      a4, 4(a1)
    lw      a6, 8(a1)
    lw      a7, 12(a1)
    sw      a3, 0(a5)
    sw      a4, 4(a5)
    sw      a6, 8(a5)
    sw      a7, 12(a5)
    addi    a1, a1, 16
    addi    a5, a5, 16
    addi    a2, a2, -16
    bgez    a2, 0b
1:  addi    a2, a2, 12
    bltz    a2, 3f
2:  lw      a3, 0(a1)
    sw      a3, 0(a5)
    addi    a1, a1, 4
    addi    a5, a5, 4
    addi    a2, a2, -4
    bgez    a2, 2b
3:  addi    a2, a2, 4
4:  beqz    a2, 6f
5:  lbu     a3, 0(a1)
    sb      a3, 0(a5)
    addi    a1, a1, 1
    addi    a5, a5, 1
    addi    a2, a2, -1
    bnez    a2, 5b
6:  ret
    .size memcpy, . - memcpy

    # a0 = memset(a0 to, a1 byte, a2 bytes)
    .section .text.runtime_memset, "ax", @progbits
    .global memset
    .type memset, @function
memset:
    mv      a5, a0
    andi    a3, a0, 3
    bnez    a3, 2f                  # not at a whole word
    andi    a1, a1, 255
    slli    a3, a1, 8
    or      a1, a1, a3
    slli    a3, a1, 16
    or      a1, a1, a3
    addi    a2, a2, -4
    bltz    a2, 1f
0:  sw      a1, 0(a5)
    addi    a5, a5, 4
    addi    a2, a2, -4
    bgez    a2, 0b
1:  addi    a2, a2, 4
2:  beqz    a2, 4f
3:  sb      a1, 0(a5)
    addi    a5, a5, 1
    addi    a2, a2, -1
    bnez    a2, 3b
4:  ret
    .size memset, . - memset
    "#
);
