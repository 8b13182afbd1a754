//! Layout `Lanes16` for Armv6-M (Cortex-M0, M0+, M1) and Armv8-M baseline: the algorithm of `portable` in assembly.
//!
//! The loop of `rows_i8`, for two columns of four rows, where `w` and `x` move through the block and the prepared
//! input:
//!
//! ```text
//! R, S = w[0..2]; c, d, k = x[0..3]
//! R = c * R + d * rev16(R) + k; total01 += R; high01 += R >> 16
//! S = c * S + d * rev16(S) + k; total23 += S; high23 += S >> 16
//! ```
//!
//! Why and how it is written in assembly:
//!
//! 1. Only eight registers (r0 to r7) can do more than move and add. The accumulators, which are only added to, and the
//!    ends of loops are in r8 to r12 and lr, which compilers for this core leave unused.
//! 2. `LDM` loads two words of weights and three of input in one instruction each. Four rows share the input.
//! 3. `MULS` overwrites a factor. `R * c` overwrites `R`, after the bytes of `R` have been swapped into a scratch
//!    register. The last use of a coefficient overwrites the coefficient instead, which saves the scratch register.
//! 4. The conditional branch reaches 256 bytes. A longer loop ends with a conditional branch out of it and an
//!    unconditional branch back.
//! 5. There is no 32 by 32 to 64 bit multiplication, so `requantize` consists of four multiplications of 16 by 16 bits.
//!
//! The code is written for the fast multiplier. Some chips have the small one, which takes 32 cycles per `MULS`.
//!
//! # Requantizing without a long multiplication
//!
//! ```text
//! acc = 2^8 p + q       |p| <= 2^15, 0 <= q < 2^8
//! m   = 2^16 s + t      0 <= s < 2^15, 0 <= t < 2^16
//! acc m + 2^23 = 2^24 p s + 2^8 p t + 2^16 q s + q t + 2^23
//!     u = p t + (q t >> 8)          -(2^31 - 2^15) <= p t <= 2^31 - 98,303 and q t >> 8 < 65,280
//!     v = q s + (u >> 8) + 2^7
//!     requantize(acc, m) = p s + (v >> 8)
//! ```
//!
//! Shifts are arithmetic, that is, they round down. Shifting in two steps is exact, because the terms added in between
//! are whole multiples of the unit after the first shift.
#![allow(unsafe_code, reason = "the kernels are assembly")]

use core::arch::global_asm;

mod prepare;

// Shared by the kernels: `requantize` of one row and the two rows of a pair.
//
// LANES16_REQUANTIZE acc, at: acc = requantize(acc, multiplier at r0 + at); uses r1, r3, r6, r7.
//
// LANES16_FINISH total, high, at: writes two rows to r2 and advances r2; uses r1, r3 to r7.
global_asm!(
    r#"
    .macro LANES16_REQUANTIZE acc, at
    ldrh    r6, [r0, #\at]              // t
    ldrh    r7, [r0, #\at + 2]          // s
    uxtb    r3, \acc                    // q
    asrs    \acc, \acc, #8              // p
    movs    r1, r3
    muls    r1, r6, r1                  // q t
    muls    r6, \acc, r6                // p t
    muls    r3, r7, r3                  // q s
    muls    \acc, r7, \acc              // p s
    lsrs    r1, r1, #8
    adds    r1, r1, r6                  // u
    asrs    r1, r1, #8
    adds    r1, r1, r3
    adds    r1, #128                    // v
    asrs    r1, r1, #8
    adds    \acc, \acc, r1
    .endm

    .macro LANES16_FINISH total, high, at
    mov     r5, \high
    lsls    r6, r5, #16
    mov     r4, \total
    subs    r4, r4, r6
    LANES16_REQUANTIZE r4, \at
    LANES16_REQUANTIZE r5, \at + 4
    stmia   r2!, {r4, r5}
    .endm
    "#,
    options(raw)
);

// runtime_lanes16_i8(blocks, prepared, out, prepared_end, out_end)
//
// r0 w, r1 x, r2 r3 r4 = c d k, r5 r6 = R S, r7 scratch; r8 r9 r10 r11 = total01 high01 total23 high23;
// r12 = end of prepared input, lr = its start. Stack: out, r8 to r11, r4 to r7, lr, out_end.
//
// 18 instructions for 8 products, and 3 per turn of 64 products: 2.30 per product.
global_asm!(
    r#"
    .macro LANES16_V6M_PAIR word, total, high
    rev16   r7, \word
    muls    \word, r2, \word
    muls    r7, r3, r7
    adds    \word, \word, r7
    adds    \word, \word, r4
    add     \total, \word
    asrs    \word, \word, #16
    add     \high, \word
    .endm

    .section .text.runtime_lanes16_i8,"ax",%progbits
    .global runtime_lanes16_i8
    .type   runtime_lanes16_i8,%function
    .p2align 2
    .thumb_func
runtime_lanes16_i8:
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r2, r4-r7}
    mov     lr, r1
    mov     r12, r3
1:  ldmia   r0!, {r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    mov     r1, lr
2:  .rept   8
    ldmia   r0!, {r5, r6}
    ldmia   r1!, {r2-r4}
    LANES16_V6M_PAIR r5, r8, r9
    LANES16_V6M_PAIR r6, r10, r11
    .endr
    cmp     r1, r12
    beq     3f
    b       2b
3:  ldr     r2, [sp]
    LANES16_FINISH r8, r9, 0
    LANES16_FINISH r10, r11, 8
    str     r2, [sp]
    adds    r0, #16
    ldr     r3, [sp, #40]
    cmp     r2, r3
    beq     4f
    b       1b
4:  pop     {r2, r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {r4-r7, pc}
    .size   runtime_lanes16_i8, . - runtime_lanes16_i8
    .text
    "#,
    options(raw)
);

// runtime_lanes16_i4(blocks, prepared, out, prepared_end, out_end)
//
// A turn is 32 columns: k starts both sums, then eight times four columns, then the sums are added to the accumulators.
//
//     R, S = w[0..2]; c0, c1 = x[0..2]
//     sum01 += c0 * R + c1 * rev16(R); R = (R >> 4) & mask
//     sum23 += c0 * S + c1 * rev16(S); S = (S >> 4) & mask
//     c2, c3 = x[2..4]
//     sum01 += c2 * R + c3 * rev16(R); sum23 += c2 * S + c3 * rev16(S)
//
// r0 w, r1 x, r2 r3 = c0 c1, then r2 r5 = c2 c3; r4 r5 = R S; the odd columns of R in r3 and those of S in r4; r6
// scratch; r7 mask; r8 r9 = sum01 sum23; r10 r11 r12 lr = total01 high01 total23 high23.
// Stack: prepared, out, end of prepared, mask, r8 to r11, r4 to r7, lr, out_end.
//
// 27 instructions for 16 products, and 15 per turn of 128 products: 1.80 per product.
global_asm!(
    r#"
    .section .text.runtime_lanes16_i4,"ax",%progbits
    .global runtime_lanes16_i4
    .type   runtime_lanes16_i4,%function
    .p2align 2
    .thumb_func
runtime_lanes16_i4:
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r4-r7}
    movs    r4, #0x0f
    lsls    r5, r4, #8
    orrs    r4, r5
    lsls    r5, r4, #16
    orrs    r4, r5
    push    {r1-r4}
1:  ldmia   r0!, {r4-r7}
    mov     r10, r4
    mov     r11, r5
    mov     r12, r6
    mov     lr, r7
    ldr     r1, [sp]
    ldr     r7, [sp, #12]
2:  ldmia   r1!, {r6}
    mov     r8, r6
    mov     r9, r6
    .rept   8
    ldmia   r0!, {r4, r5}
    ldmia   r1!, {r2, r3}
    rev16   r6, r4
    muls    r6, r3, r6
    add     r8, r6
    rev16   r6, r5
    muls    r3, r6, r3
    add     r9, r3
    lsrs    r3, r4, #4
    ands    r3, r7
    muls    r4, r2, r4
    add     r8, r4
    lsrs    r4, r5, #4
    ands    r4, r7
    muls    r5, r2, r5
    add     r9, r5
    ldmia   r1!, {r2, r5}
    rev16   r6, r3
    muls    r6, r5, r6
    add     r8, r6
    muls    r3, r2, r3
    add     r8, r3
    rev16   r6, r4
    muls    r6, r5, r6
    add     r9, r6
    muls    r4, r2, r4
    add     r9, r4
    .endr
    add     r10, r8
    mov     r6, r8
    asrs    r6, r6, #16
    add     r11, r6
    add     r12, r9
    mov     r6, r9
    asrs    r6, r6, #16
    add     lr, r6
    ldr     r6, [sp, #8]
    cmp     r1, r6
    beq     3f
    b       2b
3:  ldr     r2, [sp, #4]
    LANES16_FINISH r10, r11, 0
    LANES16_FINISH r12, lr, 8
    str     r2, [sp, #4]
    adds    r0, #16
    ldr     r3, [sp, #52]
    cmp     r2, r3
    beq     4f
    b       1b
4:  add     sp, #16
    pop     {r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {r4-r7, pc}
    .size   runtime_lanes16_i4, . - runtime_lanes16_i4
    .text
    "#,
    options(raw)
);
