//! Layout `Lanes16` for RISC-V with 32 bits and multiplication (RV32IM, with or without compressed instructions): the
//! algorithm of `portable`, in the basis `Masked`, in assembly.
//!
//! The loop of `rows_i8`, for two columns of 16 rows, where the pointers `w` move through four blocks, and `x` through
//! the prepared input:
//!
//! ```text
//! c, d, k = x[0..3]
//! for each block w:
//!     R, S = w[0..2]
//!     P = c * R + d * ((R >> 8) & 0x00ff00ff) + k; total01 += P; high01 += P >> 16
//!     P = c * S + d * ((S >> 8) & 0x00ff00ff) + k; total23 += P; high23 += P >> 16
//! ```
//!
//! Why and how it is written in assembly:
//!
//! 1. A load takes a single word. Therefore 16 rows share the three words of input, and their 16 accumulators remain in
//!    registers. The loop uses all of x1 and x5 to x31, which compilers do not manage without going through memory. x3
//!    and x4 (gp, tp) remain unchanged, because an interrupt may need them.
//! 2. A word is loaded three instructions before its use, because the loads of most cores have a latency.
//! 3. Instructions of two bytes reach only x8 to x15. These are the registers of the words, the mask and the pointers.
//! 4. The last 12 rows, which the 27 characters of English names leave, have a loop for three blocks. Other remaining
//!    blocks are computed one at a time.
//! 5. The kernels look up the curve, too, so that a row needs no word of memory outside the frame.
//!
//! Requantizing: `acc * m / 2^24 = (2^8 acc) (2 m) / 2^33`, and both factors fit 32 bits, because `|acc| < 2^23` and
//! `0 <= m < 2^31`. So the rounded result is half of the upper half of one long multiplication, plus one half.
#![allow(unsafe_code, reason = "the kernels are assembly")]

use core::arch::global_asm;
use core::ptr;

use crate::kernels::Out;
use crate::kernels::rv32im::architecture;

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;
mod prepare;

/// Function that computes whole blocks. Without a curve, `curve` is null.
type Kernel = unsafe extern "C" fn(
    blocks: *const u32,
    prepared: *const u32,
    out: *mut u8,
    end: *const u32,
    rows: usize,
    curve: *const i8,
);

/// Calls a kernel.
///
/// # Safety
/// The slices match according to the kernel's `matches` function, and neither `prepared` nor `out` is empty.
#[inline]
unsafe fn call(kernel: Kernel, blocks: &[u32], prepared: &[u32], out: Out<'_>) {
    let (rows, prepared) = (out.len(), prepared.as_ptr_range());
    let (out, curve) = match out {
        Out::Rows(out) => (out.as_mut_ptr().cast(), ptr::null()),
        Out::Curve(out, curve) => (out.as_mut_ptr().cast(), curve.0.as_ptr()),
    };
    // SAFETY: 1. the caller ensured whole groups, at least one, and a slice is readable. 2. `out` is borrowed mutably;
    // without a curve it has words. 3. The caller ensured whole blocks, at least one. 4. The caller ensured that
    // `blocks` has the length that matches the other two. 5. A curve has 512 entries.
    unsafe { kernel(blocks.as_ptr(), prepared.start, out, prepared.end, rows, curve) }
}

// Frame of both kernels: prepared, its end, rows left, bytes of a block, out, curve; from 24(sp) on the caller's
// registers, and from 80(sp) on the accumulators of 16 rows.
//
// LANES16_RV32_ENTER inverse, shift: saves registers; bytes of a block = (prepared bytes) * inverse << shift + 32,
// where `inverse` is that of an odd number modulo 2^32.
//
// LANES16_RV32_SUMS at: a4, a5 = requantized rows of a pair; uses a2, a3, t5.
//
// LANES16_RV32_ENTRIES at, ...: writes the curve's entries of both rows; uses a2. The labels are for rows beyond the
// ends of the curve: where the other rows continue, and where these go.
//
// runtime_lanes16_finish, called by both kernels: requantizes the rows whose accumulators end at t4, and writes them,
// or their entries of the curve, to `out`. a0 = multipliers of the first block; afterwards the block after the last
// one. a4 = rows left. Uses s1, a1 to a5, t2, t3, t5, t6. 10 instructions per row; with a curve 15, and 3 more for a
// row beyond its ends.
global_asm!(
    architecture!(),
    r#"
    .macro LANES16_RV32_ENTER inverse, shift
    addi    sp, sp, -144
    sw      ra, 24(sp)
    sw      s0, 28(sp)
    sw      s1, 32(sp)
    sw      s2, 36(sp)
    sw      s3, 40(sp)
    sw      s4, 44(sp)
    sw      s5, 48(sp)
    sw      s6, 52(sp)
    sw      s7, 56(sp)
    sw      s8, 60(sp)
    sw      s9, 64(sp)
    sw      s10, 68(sp)
    sw      s11, 72(sp)
    sw      a1, 0(sp)
    sw      a3, 4(sp)
    sw      a4, 8(sp)
    sub     a3, a3, a1
    li      a4, \inverse
    mul     a3, a3, a4
    slli    a3, a3, \shift
    addi    a3, a3, 32
    sw      a3, 12(sp)
    sw      a2, 16(sp)
    sw      a5, 20(sp)
    .endm

    .macro LANES16_RV32_LEAVE
    lw      ra, 24(sp)
    lw      s0, 28(sp)
    lw      s1, 32(sp)
    lw      s2, 36(sp)
    lw      s3, 40(sp)
    lw      s4, 44(sp)
    lw      s5, 48(sp)
    lw      s6, 52(sp)
    lw      s7, 56(sp)
    lw      s8, 60(sp)
    lw      s9, 64(sp)
    lw      s10, 68(sp)
    lw      s11, 72(sp)
    addi    sp, sp, 144
    ret
    .endm

    .macro LANES16_RV32_SUMS at
    lw      a4, \at(s1)
    lw      a5, \at+4(s1)
    lw      a2, \at(a0)
    lw      a3, \at+4(a0)
    slli    a4, a4, 8
    slli    t5, a5, 24
    sub     a4, a4, t5
    slli    a5, a5, 8
    slli    a2, a2, 1
    slli    a3, a3, 1
    mulhsu  a4, a4, a2
    mulhsu  a5, a5, a3
    addi    a4, a4, 1
    addi    a5, a5, 1
    srai    a4, a4, 1
    srai    a5, a5, 1
    .endm

    .macro LANES16_RV32_ROWS at
    LANES16_RV32_SUMS \at
    sw      a4, \at(a1)
    sw      a5, \at+4(a1)
    .endm

    // Continues at `back`, with the index of the first or the last entry.
    .macro LANES16_RV32_BEYOND row, back
    srai    \row, \row, 31
    xori    \row, \row, 255
    j       \back
    .endm

    .macro LANES16_RV32_ENTRIES at, first, second, beyond_first, beyond_second
    addi    a2, a4, 256
    bgeu    a2, t3, \beyond_first
\first:
    andi    a4, a4, 511
    add     a4, a4, t2
    lbu     a4, 0(a4)
    addi    a2, a5, 256
    bgeu    a2, t3, \beyond_second
\second:
    andi    a5, a5, 511
    add     a5, a5, t2
    lbu     a5, 0(a5)
    sb      a4, \at(a1)
    sb      a5, \at+1(a1)
    .endm

    .section .text.runtime_lanes16_finish,"ax",@progbits
    .type   runtime_lanes16_finish,@function
    .p2align 2
runtime_lanes16_finish:
    lw      a1, 16(sp)
    lw      t2, 20(sp)
    lw      t6, 12(sp)
    addi    s1, sp, 80
    bnez    t2, 2f
1:  LANES16_RV32_ROWS 0
    LANES16_RV32_ROWS 8
    addi    s1, s1, 16
    addi    a1, a1, 16
    add     a0, a0, t6
    bne     s1, t4, 1b
    j       14f
2:  li      t3, 512
3:  LANES16_RV32_SUMS 0
    LANES16_RV32_ENTRIES 0, 4, 5, 10f, 11f
    LANES16_RV32_SUMS 8
    LANES16_RV32_ENTRIES 2, 6, 7, 12f, 13f
    addi    s1, s1, 16
    addi    a1, a1, 4
    add     a0, a0, t6
    bne     s1, t4, 3b
    j       14f
10: LANES16_RV32_BEYOND a4, 4b
11: LANES16_RV32_BEYOND a5, 5b
12: LANES16_RV32_BEYOND a4, 6b
13: LANES16_RV32_BEYOND a5, 7b
14: sub     a0, a0, t6
    addi    a0, a0, 16
    sw      a1, 16(sp)
    lw      a4, 8(sp)
    ret
    .size   runtime_lanes16_finish, . - runtime_lanes16_finish
    .text
    .option pop
    "#,
    options(raw)
);

// runtime_lanes16_i8(blocks, prepared, out, prepared_end, rows, curve)
//
// a0 a1 a2 a3 = w of four blocks, s1 x; a6 a7 t6 = c d k; a4 = R, a5 = P; s0 mask, ra = end of prepared;
// s2 to s11, t0 to t5 = total01 high01 total23 high23 of each block.
//
// 83 instructions for 32 products, and 6 per turn of 128 products: 2.64 per product. Three blocks: 63 for 24, and 5 per
// 48: 2.73. One block: 23 for 8, and 3 per 16: 3.06.
global_asm!(
    architecture!(),
    r#"
    .macro LANES16_RV32_WORD
    mul     a5, a4, a6
    srli    a4, a4, 8
    and     a4, a4, s0
    mul     a4, a4, a7
    add     a5, a5, t6
    add     a5, a5, a4
    .endm

    .macro LANES16_RV32_ADD total, high
    add     \total, \total, a5
    srai    a5, a5, 16
    add     \high, \high, a5
    .endm

    // The next word is loaded before the sums are added.
    .macro LANES16_RV32_NEXT total, high, at, pointer
    LANES16_RV32_WORD
    lw      a4, \at(\pointer)
    LANES16_RV32_ADD \total, \high
    .endm

    .macro LANES16_RV32_INPUT at
    lw      a6, \at(s1)
    lw      a7, \at+4(s1)
    lw      t6, \at+8(s1)
    .endm

    .macro LANES16_RV32_BLOCK pointer, total01, high01, total23, high23
    lw      \total01, 0(\pointer)
    lw      \high01, 4(\pointer)
    lw      \total23, 8(\pointer)
    lw      \high23, 12(\pointer)
    .endm

    .macro LANES16_RV32_PAIR turn
    lw      a4, 8*\turn+16(a0)
    LANES16_RV32_INPUT 12*\turn
    LANES16_RV32_NEXT s2, s3, 8*\turn+20, a0
    LANES16_RV32_NEXT s4, s5, 8*\turn+16, a1
    LANES16_RV32_NEXT s6, s7, 8*\turn+20, a1
    LANES16_RV32_NEXT s8, s9, 8*\turn+16, a2
    LANES16_RV32_NEXT s10, s11, 8*\turn+20, a2
    LANES16_RV32_NEXT t0, t1, 8*\turn+16, a3
    LANES16_RV32_NEXT t2, t3, 8*\turn+20, a3
    LANES16_RV32_WORD
    LANES16_RV32_ADD t4, t5
    .endm

    // The same for three blocks, and for one.
    .macro LANES16_RV32_THREE turn
    lw      a4, 8*\turn+16(a0)
    LANES16_RV32_INPUT 12*\turn
    LANES16_RV32_NEXT s2, s3, 8*\turn+20, a0
    LANES16_RV32_NEXT s4, s5, 8*\turn+16, a1
    LANES16_RV32_NEXT s6, s7, 8*\turn+20, a1
    LANES16_RV32_NEXT s8, s9, 8*\turn+16, a2
    LANES16_RV32_NEXT s10, s11, 8*\turn+20, a2
    LANES16_RV32_WORD
    LANES16_RV32_ADD t0, t1
    .endm

    .macro LANES16_RV32_ONE turn
    lw      a4, 8*\turn+16(a0)
    LANES16_RV32_INPUT 12*\turn
    LANES16_RV32_NEXT s2, s3, 8*\turn+20, a0
    LANES16_RV32_WORD
    LANES16_RV32_ADD s4, s5
    .endm

    .section .text.runtime_lanes16_i8,"ax",@progbits
    .global runtime_lanes16_i8
    .type   runtime_lanes16_i8,@function
    .p2align 2
runtime_lanes16_i8:
    LANES16_RV32_ENTER 0xaaaaaaab, 1
    li      s0, 0x00ff00ff
1:  lw      a4, 8(sp)
    lw      s1, 0(sp)
    lw      ra, 4(sp)
    addi    a5, a4, -16
    bgez    a5, 2f
    addi    a5, a4, -12
    beqz    a5, 2f
    addi    a5, a4, -4
2:  sw      a5, 8(sp)
    LANES16_RV32_BLOCK a0, s2, s3, s4, s5
    sub     a4, a4, a5
    andi    a4, a4, 12              # rows of this turn: 0 for 16
    addi    a4, a4, -4
    beqz    a4, 7f
    lw      a5, 12(sp)
    add     a1, a0, a5
    add     a2, a1, a5
    LANES16_RV32_BLOCK a1, s6, s7, s8, s9
    LANES16_RV32_BLOCK a2, s10, s11, t0, t1
    bgtz    a4, 5f
    add     a3, a2, a5
    LANES16_RV32_BLOCK a3, t2, t3, t4, t5
3:  LANES16_RV32_PAIR 0
    LANES16_RV32_PAIR 1
    LANES16_RV32_PAIR 2
    LANES16_RV32_PAIR 3
    addi    s1, s1, 48
    addi    a0, a0, 32
    addi    a1, a1, 32
    addi    a2, a2, 32
    addi    a3, a3, 32
    bne     s1, ra, 3b
    sw      t2, 128(sp)
    sw      t3, 132(sp)
    sw      t4, 136(sp)
    sw      t5, 140(sp)
    addi    t4, sp, 144
    j       9f
5:  LANES16_RV32_THREE 0
    LANES16_RV32_THREE 1
    addi    s1, s1, 24
    addi    a0, a0, 16
    addi    a1, a1, 16
    addi    a2, a2, 16
    bne     s1, ra, 5b
    addi    t4, sp, 128
    j       9f
7:  LANES16_RV32_ONE 0
    LANES16_RV32_ONE 1
    addi    s1, s1, 24
    addi    a0, a0, 16
    bne     s1, ra, 7b
    addi    t4, sp, 96
9:  sw      s2, 80(sp)
    sw      s3, 84(sp)
    sw      s4, 88(sp)
    sw      s5, 92(sp)
    sw      s6, 96(sp)
    sw      s7, 100(sp)
    sw      s8, 104(sp)
    sw      s9, 108(sp)
    sw      s10, 112(sp)
    sw      s11, 116(sp)
    sw      t0, 120(sp)
    sw      t1, 124(sp)
    addi    a0, a0, 16
    jal     runtime_lanes16_finish
    bnez    a4, 1b
    LANES16_RV32_LEAVE
    .size   runtime_lanes16_i8, . - runtime_lanes16_i8
    .text
    .option pop
    "#,
    options(raw)
);

// runtime_lanes16_i4(blocks, prepared, out, prepared_end, rows, curve)
//
// A turn is 32 columns: k starts the sums of eight pairs of rows, then eight times four columns, then the sums are
// added to the accumulators, which are in the frame.
//
//     sum += c0 * (R & 0x00ff00ff) + (c2 * (R & 0x0f000f00) >> 32) + (c3 * (R & 0xf000f000) >> 32)
//     R = (R >> 4) & 0x000f000f; sum += c1 * R
//
// a0 a1 a2 a3 = w of four blocks, s10 x; a6 a7 t0 t1 = c0 c1 c2 c3; a4 = R, a5 t6 = products;
// t2 t3 t4 s0 = masks of c0 c2 c3 c1; s2 to s9 = sums; s1 = rows left, s11 = end of the turn, ra = end of prepared.
//
// 116 instructions for 64 products, 6 per 128 products, and 67 per turn of 512 products: 1.99 per product. For the
// last blocks, one at a time: 32 for 16 products, 3 per 16, and 19 per turn of 128 products: 2.34.
global_asm!(
    architecture!(),
    r#"
    .macro LANES16_RV32_QUAD_WORD sum
    and     a5, a4, t2
    mul     a5, a5, a6
    and     t6, a4, t3
    mulhsu  t6, t0, t6
    add     \sum, \sum, a5
    and     a5, a4, t4
    mulhsu  a5, t1, a5
    srli    a4, a4, 4
    and     a4, a4, s0
    add     \sum, \sum, t6
    mul     t6, a4, a7
    .endm

    .macro LANES16_RV32_QUAD_NEXT sum, at, pointer
    LANES16_RV32_QUAD_WORD \sum
    lw      a4, \at(\pointer)
    add     \sum, \sum, a5
    add     \sum, \sum, t6
    .endm

    .macro LANES16_RV32_COEFFICIENTS at
    lw      a6, \at(s10)
    lw      a7, \at+4(s10)
    lw      t0, \at+8(s10)
    lw      t1, \at+12(s10)
    .endm

    .macro LANES16_RV32_QUAD turn
    lw      a4, 8*\turn+16(a0)
    LANES16_RV32_COEFFICIENTS 16*\turn
    LANES16_RV32_QUAD_NEXT s2, 8*\turn+20, a0
    LANES16_RV32_QUAD_NEXT s3, 8*\turn+16, a1
    LANES16_RV32_QUAD_NEXT s4, 8*\turn+20, a1
    LANES16_RV32_QUAD_NEXT s5, 8*\turn+16, a2
    LANES16_RV32_QUAD_NEXT s6, 8*\turn+20, a2
    LANES16_RV32_QUAD_NEXT s7, 8*\turn+16, a3
    LANES16_RV32_QUAD_NEXT s8, 8*\turn+20, a3
    LANES16_RV32_QUAD_WORD s9
    add     s9, s9, a5
    add     s9, s9, t6
    .endm

    // Adds a sum to the accumulators of two rows.
    .macro LANES16_RV32_SPLIT sum, at
    lw      a4, \at(sp)
    lw      a5, \at+4(sp)
    add     a4, a4, \sum
    srai    \sum, \sum, 16
    add     a5, a5, \sum
    sw      a4, \at(sp)
    sw      a5, \at+4(sp)
    .endm

    .macro LANES16_RV32_COPY pointer, at
    lw      a4, 0(\pointer)
    lw      a5, 4(\pointer)
    lw      a6, 8(\pointer)
    lw      a7, 12(\pointer)
    sw      a4, \at(sp)
    sw      a5, \at+4(sp)
    sw      a6, \at+8(sp)
    sw      a7, \at+12(sp)
    .endm

    .section .text.runtime_lanes16_i4,"ax",@progbits
    .global runtime_lanes16_i4
    .type   runtime_lanes16_i4,@function
    .p2align 2
runtime_lanes16_i4:
    LANES16_RV32_ENTER 0x3e0f83e1, 4
    li      s0, 0x000f000f
1:  li      t2, 0x00ff00ff
    slli    t3, s0, 8
    slli    t4, s0, 12
    lw      s1, 8(sp)
    lw      s10, 0(sp)
    lw      ra, 4(sp)
    LANES16_RV32_COPY a0, 80
    addi    a5, s1, -16
    bltz    a5, 4f
    sw      a5, 8(sp)
    lw      a5, 12(sp)
    add     a1, a0, a5
    add     a2, a1, a5
    add     a3, a2, a5
    LANES16_RV32_COPY a1, 96
    LANES16_RV32_COPY a2, 112
    LANES16_RV32_COPY a3, 128
2:  lw      s2, 0(s10)
    addi    s10, s10, 4
    addi    s11, s10, 128
    mv      s3, s2
    mv      s4, s2
    mv      s5, s2
    mv      s6, s2
    mv      s7, s2
    mv      s8, s2
    mv      s9, s2
3:  LANES16_RV32_QUAD 0
    LANES16_RV32_QUAD 1
    addi    s10, s10, 32
    addi    a0, a0, 16
    addi    a1, a1, 16
    addi    a2, a2, 16
    addi    a3, a3, 16
    bne     s10, s11, 3b
    LANES16_RV32_SPLIT s2, 80
    LANES16_RV32_SPLIT s3, 88
    LANES16_RV32_SPLIT s4, 96
    LANES16_RV32_SPLIT s5, 104
    LANES16_RV32_SPLIT s6, 112
    LANES16_RV32_SPLIT s7, 120
    LANES16_RV32_SPLIT s8, 128
    LANES16_RV32_SPLIT s9, 136
    bne     s10, ra, 2b
    addi    t4, sp, 144
    j       7f
4:  addi    s1, s1, -4
    sw      s1, 8(sp)
5:  lw      s2, 0(s10)
    addi    s10, s10, 4
    addi    s11, s10, 128
    mv      s3, s2
6:  lw      a4, 16(a0)
    LANES16_RV32_COEFFICIENTS 0
    LANES16_RV32_QUAD_NEXT s2, 20, a0
    LANES16_RV32_QUAD_WORD s3
    addi    s10, s10, 16
    addi    a0, a0, 8
    add     s3, s3, a5
    add     s3, s3, t6
    bne     s10, s11, 6b
    LANES16_RV32_SPLIT s2, 80
    LANES16_RV32_SPLIT s3, 88
    bne     s10, ra, 5b
    addi    t4, sp, 96
7:  addi    a0, a0, 16
    jal     runtime_lanes16_finish
    bnez    a4, 1b
    LANES16_RV32_LEAVE
    .size   runtime_lanes16_i4, . - runtime_lanes16_i4
    .text
    .option pop
    "#,
    options(raw)
);
