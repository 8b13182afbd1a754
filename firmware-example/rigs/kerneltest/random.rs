//! Random numbers for the cases, the same in every run.

/// Xorshift generator with 32 bits: needs no multiplication, and all of its bits are equally random.
pub struct Random(u32);

impl Random {
    pub fn new() -> Self {
        Self(0x2545_f491)
    }

    /// Returns the next 32 bits, never all zero.
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Returns a number from 0 to `limit - 1`, for `limit` up to 2^16.
    pub fn below(&mut self, limit: usize) -> usize {
        (((self.next() >> 16) * limit as u32) >> 16) as usize
    }

    /// Returns a number of any magnitude and sign.
    pub fn any_magnitude(&mut self) -> i32 {
        let shift = self.below(32);
        self.next() as i32 >> shift
    }
}
