use super::Basis;

/// Basis of a word, and parts of it that a mask selects, for cores that have no instruction to swap bytes.
pub struct Masked;

impl Basis for Masked {
    #[inline]
    fn pair([x0, x1]: [i32; 2]) -> [u32; 2] {
        [x0, x1 - (x0 << 8)].map(|c| c as u32)
    }

    #[inline]
    fn sum_pair([c, d]: [u32; 2], word: u32) -> u32 {
        let odd = (word >> 8) & 0x00ff_00ff;
        c.wrapping_mul(word).wrapping_add(d.wrapping_mul(odd))
    }

    #[cfg(feature = "int4")]
    #[inline]
    fn quad([x0, x1, x2, x3]: [i32; 4]) -> [u32; 4] {
        [x0, x1 - (x0 << 4), x2 << 24, x3 << 20].map(|c| c as u32)
    }

    #[cfg(feature = "int4")]
    #[inline]
    fn sum_quad([c0, c1, c2, c3]: [u32; 4], word: u32) -> u32 {
        let low = c0.wrapping_mul(word & 0x00ff_00ff).wrapping_add(c1.wrapping_mul((word >> 4) & 0x000f_000f));
        low.wrapping_add(upper(c2, word & 0x0f00_0f00)).wrapping_add(upper(c3, word & 0xf000_f000))
    }
}

/// Returns the upper half of the product of a number with a sign and one without.
#[cfg(feature = "int4")]
#[inline]
fn upper(a: u32, b: u32) -> u32 {
    ((i64::from(a as i32) * i64::from(b)) >> 32) as u32
}
