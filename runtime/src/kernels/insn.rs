//! One function per instruction that Rust has no name for, each beside its plain twin.

#![cfg_attr(kernel = "dsp", allow(unsafe_code))]

/// `(a * b + 2^31) >> 32`: the upper half of a product, rounded to nearest, halves up (`SMMULR`).
#[inline(always)]
pub fn smmulr(a: i32, b: i32) -> i32 {
    #[cfg(kernel = "dsp")]
    {
        let upper: i32;
        // SAFETY: the instruction reads and writes registers alone, and every core this is compiled for has it.
        unsafe {
            core::arch::asm!("smmulr {0}, {1}, {2}", out(reg) upper, in(reg) a, in(reg) b, options(pure, nomem, nostack, preserves_flags));
        }
        upper
    }
    #[cfg(not(kernel = "dsp"))]
    smmulr_portable(a, b)
}

/// The definition of [`smmulr`].
#[inline(always)]
pub fn smmulr_portable(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b) + (1 << 31)) >> 32) as i32
}
