//! Numbers for the cases: the same in every run.

/// A linear congruential generator.
pub struct Random(pub u32);

impl Random {
    /// The next 32 bits.
    pub const fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The low bits of such a generator are poor.
        self.0.rotate_left(16)
    }

    /// 0 to `limit - 1`, for `limit` up to 2^16.
    pub fn below(&mut self, limit: u32) -> u32 {
        ((self.next() & 0xffff) * limit) >> 16
    }

    /// `-largest` to `largest`.
    pub fn within(&mut self, largest: i8) -> i8 {
        (self.below(2 * largest as u32 + 1) as i32 - i32::from(largest)) as i8
    }

    /// `-largest` or `largest`.
    pub fn sign(&mut self, largest: i8) -> i8 {
        if self.below(2) == 0 { largest } else { -largest }
    }
}
