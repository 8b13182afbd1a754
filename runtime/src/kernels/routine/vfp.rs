//! Layout `Rows8` with a scalar floating-point unit: Cortex-M4F, M7, M33, M55.
//!
//! ```text
//! for each block of 8 rows:
//!     acc[0..8] = bias[0..8]
//!     for each 8 columns:                                    69 instructions for 64 multiply-accumulates
//!         x[0..8]                                            one VLDM
//!         for each 2 of them:
//!             w[0..16]                                       one VLDM
//!             acc[r] = acc[r] + w[r] * x                     VMLA, which rounds the product as well as the sum
//!     for each column that is left: the same by itself
//!     y[0..8] = acc[0..8]
//! ```
//!
//! s0 to s7: acc; s8 to s15: x; s16 to s31: weights. r0: weights, r1: bias, r2: x, r3: y, r4: end of y, r5: columns
//! left, r6: start of x.
//!
//! 1. `VMLA`, not `VFMA`: the definition rounds twice, so that a host without fused multiplication has the same
//!    results.
//! 2. Eight rows at once, because eight sums fit next to two columns of weights and eight values of x.

#![allow(unsafe_code)]

use core::arch::global_asm;

use crate::rows::LANES;

global_asm!(
    r#"
    .syntax unified
    .thumb
    .fpu fpv4-sp-d16

    .macro VFP_COLUMN x, w0, w1, w2, w3, w4, w5, w6, w7
        vmla.f32 s0, \w0, \x
        vmla.f32 s1, \w1, \x
        vmla.f32 s2, \w2, \x
        vmla.f32 s3, \w3, \x
        vmla.f32 s4, \w4, \x
        vmla.f32 s5, \w5, \x
        vmla.f32 s6, \w6, \x
        vmla.f32 s7, \w7, \x
    .endm

    .macro VFP_TWO_COLUMNS first, second
        vldmia  r0!, {s16-s31}
        VFP_COLUMN \first, s16, s17, s18, s19, s20, s21, s22, s23
        VFP_COLUMN \second, s24, s25, s26, s27, s28, s29, s30, s31
    .endm

    @ vfp_vec_mat_f32(r0 weights, r1 bias, r2 x, r3 y, columns, y_end); at least one column and one block
    .section .text.vfp_vec_mat_f32, "ax", %progbits
    .global vfp_vec_mat_f32
    .type vfp_vec_mat_f32, %function
    .thumb_func
    .balign 4
vfp_vec_mat_f32:
    push    {r4-r6, lr}
    vpush   {s16-s31}
    ldr     r4, [sp, #84]           @ y_end
    mov     r6, r2
0:  vldmia  r1!, {s0-s7}
    mov     r2, r6
    ldr     r5, [sp, #80]           @ columns
    subs    r5, r5, #8
    blo     2f
1:  vldmia  r2!, {s8-s15}
    VFP_TWO_COLUMNS s8, s9
    VFP_TWO_COLUMNS s10, s11
    VFP_TWO_COLUMNS s12, s13
    VFP_TWO_COLUMNS s14, s15
    subs    r5, r5, #8
    bhs     1b
2:  adds    r5, r5, #8
    beq     4f
3:  vldmia  r2!, {s8}
    vldmia  r0!, {s16-s23}
    VFP_COLUMN s8, s16, s17, s18, s19, s20, s21, s22, s23
    subs    r5, r5, #1
    bne     3b
4:  vstmia  r3!, {s0-s7}
    cmp     r3, r4
    bne     0b
    vpop    {s16-s31}
    pop     {r4-r6, pc}
    .size vfp_vec_mat_f32, . - vfp_vec_mat_f32
    "#,
    options(raw)
);

unsafe extern "C" {
    /// # Safety
    /// `columns` is not 0, and `y..y_end` is at least one whole block of 8 values. `bias` has as many values as `y`,
    /// `x` has `columns` values, and there are `columns` weights for each value of `y`.
    unsafe fn vfp_vec_mat_f32(
        weights: *const f32,
        bias: *const f32,
        x: *const f32,
        y: *mut f32,
        columns: usize,
        y_end: *const f32,
    );
}

/// Computes [`super::portable::vec_mat_f32`].
pub fn vec_mat_f32(weights: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    let columns = x.len();
    if columns == 0 {
        return;
    }
    // Values beyond the shortest slice remain unchanged.
    let blocks = (y.len() / LANES).min(bias.len() / LANES).min(weights.len() / LANES / columns);
    let Some(y) = y.get_mut(..blocks * LANES) else { return };
    if y.is_empty() {
        return;
    }
    let y = y.as_mut_ptr_range();
    // SAFETY: `blocks` is not 0, and all three slices have that many whole blocks; `columns` is the length of `x`, not
    // 0.
    unsafe { vfp_vec_mat_f32(weights.as_ptr(), bias.as_ptr(), x.as_ptr(), y.start, columns, y.end) }
}
