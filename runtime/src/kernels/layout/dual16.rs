//! Layout `Dual16`, for cores that multiply two pairs of 16-bit halves in one instruction (Cortex-M4, M7, M33:
//! `SMLAD`).
//!
//! `portable` is the definition, which runs on every core without these instructions; `dsp` is the same algorithm in
//! assembly. A register holds two lanes of 16 bits, written `(low, high)` below. All sums wrap at 32 bits.
//!
//! # Two tricks
//!
//! **Raw words.** Loading a word costs a quarter of an instruction, unpacking it a whole one. So the word is first
//! multiplied as it is, and the coefficient of the next product corrects the contribution of the neighbouring weight.
//! Two 8-bit weights share a lane, `h = w0 + 256 w1` (signed: `w0` borrows from `w1`), so that
//!
//! ```text
//! h * x1  +  w0 * (256 x0 - x1)  =  256 (w0 x0 + w1 x1)
//! ```
//!
//! Both coefficients fit 16 bits, because activations are at most 127. Requantizing removes the factor of 256.
//!
//! **One product instead of two** (Winograd, "A New Algorithm for Inner Product", 1968). One multiplication is enough
//! to multiply the extracted weights of two words `v`, `w` by coefficients `a`, `b`:
//!
//! ```text
//! (b + v) * (a + w)  =  a v + b w  +  a b  +  v w
//! ```
//!
//! `a b` depends only on the input: the kernel gets its sum, computed once for all rows. `v w` depends only on the
//! weights: it is part of the row's start value. One instruction extracts and adds (`SXTAB16`).
//!
//! Together: 5 instructions for 8 multiply-accumulates; products of extracted halves would need 8.
//!
//! # Blocks
//!
//! ```text
//! 8 bits   4 rows    start [4], per 8 columns: [row][2 words], multiplier [4]
//!          word: columns 0 1 | 2 3 as w0 + 256 w1 | w2 + 256 w3
//! 4 bits   2 rows    start [2], per 16 columns: [row][2 words], multiplier [2]
//!          word: columns 0 1 4 5 | 2 3 6 7 as nibbles; in a lane three are offset by 8, the last is two's complement
//! ```
//!
//! `start` is the bias times 256 (4 bits: 16) minus the row's sum of `v w`. Zeros pad the widths to whole groups.
//!
//! # Four bits
//!
//! A lane is `h = u0 + 16 u1 + 256 u4 + 4096 s5`, where `u = w + 8`. Its upper byte, signed, is `f = u4 + 16 s5`.
//!
//! ```text
//! h * x1  +  f * (x5 - 256 x1)  +  u0 * (16 x0 - x1)  +  u4 * (16 x4 - x5)  =  16 (u0 x0 + u1 x1 + u4 x4 + s5 x5)
//! ```
//!
//! The offsets add `16 * 8 (x0 + x1 + x4)`, which is part of the input's constant. The products of `u0` and `u4` are
//! one pair, those of `f` in two neighbouring words the other: 29 instructions for 32 multiply-accumulates. The
//! coefficients of `u0` and `u4` are 2048 larger than above, because an activation offset by 128 is cheaper to multiply
//! by 16. The row's part of the difference is in its start value.
//!
//! 4 bits take more instructions than 8 because a product applies one coefficient to each of two lanes, and a lane of
//! four weights needs four. The first is free (the raw word); the others need extraction.

#[cfg(kernel = "dsp")]
mod dsp;
#[cfg(feature = "int4")]
mod int4;
mod int8;
mod portable;
mod sizes;

#[cfg(kernel = "dsp")]
use dsp as chosen;
#[cfg(not(kernel = "dsp"))]
use portable as chosen;

#[cfg(feature = "int4")]
pub use int4::Dual16I4;
pub use int8::Dual16I8;

/// Packs two lanes into a word. Each lane wraps at 16 bits.
const fn lanes(low: i32, high: i32) -> u32 {
    (low as u32 & 0xffff) | (high as u32) << 16
}

const fn low(word: u32) -> i32 {
    word as i16 as i32
}

const fn high(word: u32) -> i32 {
    (word as i32) >> 16
}

/// Returns `acc + low(a) low(b) + high(a) high(b)`, wrapping: the instruction of this name.
const fn smlad(a: u32, b: u32, acc: i32) -> i32 {
    acc.wrapping_add(low(a) * low(b)).wrapping_add(high(a) * high(b))
}

/// Returns `(low(a) + byte 0 of b, high(a) + byte 2 of b)` with signed bytes and wrapping lanes: the instruction of
/// this name.
const fn sxtab16(a: u32, b: u32) -> u32 {
    lanes(low(a) + (b as i8) as i32, high(a) + ((b >> 16) as i8) as i32)
}
