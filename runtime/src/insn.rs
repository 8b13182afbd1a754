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

/// Bytes 0 and 2, each as a signed half word (`SXTB16`).
#[inline(always)]
pub fn sxtb16(x: u32) -> u32 {
    #[cfg(kernel = "dsp")]
    {
        let halves: u32;
        // SAFETY: as in `smmulr`.
        unsafe {
            core::arch::asm!("sxtb16 {0}, {1}", out(reg) halves, in(reg) x, options(pure, nomem, nostack, preserves_flags));
        }
        halves
    }
    #[cfg(not(kernel = "dsp"))]
    sxtb16_portable(x)
}

/// The definition of [`sxtb16`].
#[inline(always)]
pub fn sxtb16_portable(x: u32) -> u32 {
    sxtab16_portable(0, x)
}

/// Bytes 1 and 3, each as a signed half word (`SXTB16` with a rotation by 8).
#[inline(always)]
pub fn sxtb16_ror8(x: u32) -> u32 {
    #[cfg(kernel = "dsp")]
    {
        let halves: u32;
        // SAFETY: as in `smmulr`.
        unsafe {
            core::arch::asm!("sxtb16 {0}, {1}, ror #8", out(reg) halves, in(reg) x, options(pure, nomem, nostack, preserves_flags));
        }
        halves
    }
    #[cfg(not(kernel = "dsp"))]
    sxtb16_portable(x.rotate_right(8))
}

/// Half words `a` plus bytes 0 and 2, each with its sign (`SXTAB16`). Sums wrap.
#[inline(always)]
pub fn sxtab16(a: u32, x: u32) -> u32 {
    #[cfg(kernel = "dsp")]
    {
        let halves: u32;
        // SAFETY: as in `smmulr`.
        unsafe {
            core::arch::asm!("sxtab16 {0}, {1}, {2}", out(reg) halves, in(reg) a, in(reg) x, options(pure, nomem, nostack, preserves_flags));
        }
        halves
    }
    #[cfg(not(kernel = "dsp"))]
    sxtab16_portable(a, x)
}

/// The definition of [`sxtab16`].
#[inline(always)]
pub fn sxtab16_portable(a: u32, x: u32) -> u32 {
    let add = |a: u32, byte: u32| u32::from((a as u16).wrapping_add_signed(i16::from(byte as i8)));
    add(a, x) | add(a >> 16, x >> 16) << 16
}

/// Half words `a` plus bytes 1 and 3, each with its sign (`SXTAB16` with a rotation by 8). Sums wrap.
#[inline(always)]
pub fn sxtab16_ror8(a: u32, x: u32) -> u32 {
    #[cfg(kernel = "dsp")]
    {
        let halves: u32;
        // SAFETY: as in `smmulr`.
        unsafe {
            core::arch::asm!("sxtab16 {0}, {1}, {2}, ror #8", out(reg) halves, in(reg) a, in(reg) x, options(pure, nomem, nostack, preserves_flags));
        }
        halves
    }
    #[cfg(not(kernel = "dsp"))]
    sxtab16_portable(a, x.rotate_right(8))
}

/// `(a * b) >> 16` for the lower half word of `b`, with its sign (`SMULWB`).
#[inline(always)]
pub fn smulwb(a: i32, b: i32) -> i32 {
    #[cfg(kernel = "dsp")]
    {
        let upper: i32;
        // SAFETY: as in `smmulr`.
        unsafe {
            core::arch::asm!("smulwb {0}, {1}, {2}", out(reg) upper, in(reg) a, in(reg) b, options(pure, nomem, nostack, preserves_flags));
        }
        upper
    }
    #[cfg(not(kernel = "dsp"))]
    smulwb_portable(a, b)
}

/// The definition of [`smulwb`].
#[inline(always)]
pub fn smulwb_portable(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b as i16)) >> 16) as i32
}
