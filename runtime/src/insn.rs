//! One function per instruction that has no name in Rust, each next to its definition.

#![cfg_attr(kernel = "dsp", allow(unsafe_code))]

/// Declares an instruction of the DSP extension: its function, its assembly and its definition.
///
/// The function is the instruction on cores that have it, and the definition on all others.
macro_rules! instruction {
    (
        $(#[$attribute:meta])*
        fn $name:ident($($operand:ident: $type:ty),*) -> $result:ty = $assembly:literal, $definition:ident $body:block
    ) => {
        $(#[$attribute])*
        #[inline(always)]
        pub fn $name($($operand: $type),*) -> $result {
            #[cfg(kernel = "dsp")]
            {
                let result: $result;
                // SAFETY: the instruction only reads and writes registers, and every core of this `kernel` has it.
                unsafe {
                    core::arch::asm!(
                        $assembly,
                        result = out(reg) result,
                        $($operand = in(reg) $operand,)*
                        options(pure, nomem, nostack, preserves_flags),
                    );
                }
                result
            }
            #[cfg(not(kernel = "dsp"))]
            $definition($($operand),*)
        }

        #[doc = concat!("Definition of [`", stringify!($name), "`].")]
        #[inline(always)]
        pub fn $definition($($operand: $type),*) -> $result $body
    };
}

instruction! {
    /// Returns the upper half of a product, rounded to nearest, halves up: `(a * b + 2^31) >> 32` (`SMMULR`).
    fn smmulr(a: i32, b: i32) -> i32 = "smmulr {result}, {a}, {b}", smmulr_portable {
        ((i64::from(a) * i64::from(b) + (1 << 31)) >> 32) as i32
    }
}

instruction! {
    /// Returns bytes 0 and 2, each sign-extended to a half word (`SXTB16`).
    fn sxtb16(x: u32) -> u32 = "sxtb16 {result}, {x}", sxtb16_portable {
        sxtab16_portable(0, x)
    }
}

instruction! {
    /// Returns bytes 1 and 3, each sign-extended to a half word (`SXTB16` with a rotation by 8).
    fn sxtb16_ror8(x: u32) -> u32 = "sxtb16 {result}, {x}, ror #8", sxtb16_ror8_portable {
        sxtb16_portable(x.rotate_right(8))
    }
}

instruction! {
    /// Adds bytes 0 and 2, sign-extended, to the half words of `a` (`SXTAB16`). Sums wrap.
    fn sxtab16(a: u32, x: u32) -> u32 = "sxtab16 {result}, {a}, {x}", sxtab16_portable {
        let add = |a: u32, byte: u32| u32::from((a as u16).wrapping_add_signed(i16::from(byte as i8)));
        add(a, x) | add(a >> 16, x >> 16) << 16
    }
}

instruction! {
    /// Adds bytes 1 and 3, sign-extended, to the half words of `a` (`SXTAB16` with a rotation by 8). Sums wrap.
    fn sxtab16_ror8(a: u32, x: u32) -> u32 = "sxtab16 {result}, {a}, {x}, ror #8", sxtab16_ror8_portable {
        sxtab16_portable(a, x.rotate_right(8))
    }
}

instruction! {
    /// Returns `(a * b) >> 16` for the lower half word of `b`, sign-extended (`SMULWB`).
    fn smulwb(a: i32, b: i32) -> i32 = "smulwb {result}, {a}, {b}", smulwb_portable {
        ((i64::from(a) * i64::from(b as i16)) >> 16) as i32
    }
}
