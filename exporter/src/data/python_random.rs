//! Python's `random.seed(int)` and `random.shuffle`, so that a list is split as in the lecture's notebook.

use rand_mt::Mt;

/// Python's `random.Random(seed)`: MT19937 seeded by array, as CPython seeds it for any integer.
pub struct PythonRandom(Mt);

impl PythonRandom {
    /// Seeds the generator as `random.seed(seed)` does.
    pub fn new(seed: u32) -> Self {
        Self(Mt::new_with_key([seed]))
    }

    /// Shuffles a list as `random.shuffle(list)` does: Fisher-Yates from the end, as in CPython since 3.2.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }

    /// Returns a random number below `n` as `random._randbelow(n)` does: draws the number of bits that `n` has, until
    /// the result is below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).expect("usize has at most 64 bits");
        let bits = u64::BITS - n.leading_zeros();
        loop {
            let drawn = self.bits(bits);
            if drawn < n {
                return usize::try_from(drawn).expect("below a usize");
            }
        }
    }

    /// Returns `random.getrandbits(bits)` for 1 to 64 bits.
    ///
    /// The first word drawn has the least significant 32 bits; of the last word, the upper bits are used.
    fn bits(&mut self, bits: u32) -> u64 {
        if bits <= 32 {
            u64::from(self.0.next_u32() >> (32 - bits))
        } else {
            let low = u64::from(self.0.next_u32());
            low | u64::from(self.0.next_u32() >> (64 - bits)) << 32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffles_as_python_does() {
        // python3 -c "import random; random.seed(42); a = list(range(20)); random.shuffle(a); print(a)"
        let mut list: Vec<u32> = (0..20).collect();
        PythonRandom::new(42).shuffle(&mut list);
        assert_eq!(list, PYTHON_SEED_42_RANGE_20);
        // Seed 1 and range(5), shuffled twice by one generator.
        let mut random = PythonRandom::new(1);
        let mut list: Vec<u32> = (0..5).collect();
        random.shuffle(&mut list);
        assert_eq!(list, PYTHON_SEED_1_RANGE_5[0]);
        random.shuffle(&mut list);
        assert_eq!(list, PYTHON_SEED_1_RANGE_5[1]);
    }

    const PYTHON_SEED_42_RANGE_20: [u32; 20] = [19, 5, 14, 4, 9, 13, 15, 18, 6, 12, 17, 10, 1, 11, 2, 16, 7, 8, 0, 3];
    const PYTHON_SEED_1_RANGE_5: [[u32; 5]; 2] = [[2, 3, 4, 0, 1], [2, 4, 3, 1, 0]];
}
