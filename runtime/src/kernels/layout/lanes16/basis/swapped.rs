use super::Basis;

/// Basis of a word and the same word with swapped bytes, for cores with the instruction `REV16`.
pub struct Swapped;

impl Basis for Swapped {
    #[inline]
    fn pair([x0, x1]: [i32; 2]) -> [u32; 2] {
        coefficients(x0, x1)
    }

    #[inline]
    fn sum_pair([c, d]: [u32; 2], word: u32) -> u32 {
        c.wrapping_mul(word).wrapping_add(d.wrapping_mul(rev16(word)))
    }

    #[cfg(feature = "int4")]
    #[inline]
    fn quad([x0, x1, x2, x3]: [i32; 4]) -> [u32; 4] {
        let [c0, c1] = coefficients(x0, x2);
        let [c2, c3] = coefficients(x1 - (x0 << 4), x3 - (x2 << 4));
        [c0, c1, c2, c3]
    }

    #[cfg(feature = "int4")]
    #[inline]
    fn sum_quad([c0, c1, c2, c3]: [u32; 4], word: u32) -> u32 {
        let odd = (word >> 4) & 0x0f0f_0f0f;
        Self::sum_pair([c0, c1], word).wrapping_add(Self::sum_pair([c2, c3], odd))
    }
}

/// Swaps the bytes of both halves, like the instruction of this name.
#[inline]
fn rev16(word: u32) -> u32 {
    ((word & 0x00ff_00ff) << 8) | ((word >> 8) & 0x00ff_00ff)
}

/// Returns `[c, d]` with `c + 2^8 d = low` and `2^8 c + d = high`.
#[inline]
fn coefficients(low: i32, high: i32) -> [u32; 2] {
    let difference = low.wrapping_sub(high << 8) as u32;
    // Multiplies by 1 + 2^16, the inverse of 1 - 2^16.
    let c = difference.wrapping_add(difference << 16);
    [c, (high as u32).wrapping_sub(c << 8)]
}
