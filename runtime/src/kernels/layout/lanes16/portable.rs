//! The algorithm in plain Rust: the definition of the assembly for every core, which runs on cores without assembly.

#[cfg(feature = "int4")]
pub mod int4;
pub mod int8;

use super::ROWS;
use crate::quant::requantize;

/// Accumulators of two rows.
#[derive(Clone, Copy)]
struct Pair {
    /// Row A + 2^16 row B, modulo 2^32.
    total: u32,
    /// Row B.
    high: u32,
}

impl Pair {
    /// Adds two lanes; the middle of the low one is 2^15.
    #[inline]
    fn add(&mut self, lanes: u32) {
        self.total = self.total.wrapping_add(lanes);
        self.high = self.high.wrapping_add((lanes as i32 >> 16) as u32);
    }

    /// Returns the sums of rows A and B.
    #[inline]
    fn sums(self) -> [i32; 2] {
        [self.total.wrapping_sub(self.high << 16), self.high].map(|sum| sum as i32)
    }
}

/// Computes all blocks. `sum` adds the columns of a block to the accumulators.
#[inline]
fn blocks_of(blocks: &[u32], words: usize, out: &mut [i32], sum: impl Fn(&[[u32; 2]], &mut [Pair; 2])) {
    let (out, _) = out.as_chunks_mut::<ROWS>();
    // Never 0 words: a block has at least its start values and multipliers.
    for (block, out) in blocks.chunks_exact(words.max(1)).zip(out) {
        let Some((&[total01, high01, total23, high23], rest)) = block.split_first_chunk::<ROWS>() else { return };
        let Some((weights, multipliers)) = rest.split_last_chunk::<ROWS>() else { return };
        let mut pairs = [Pair { total: total01, high: high01 }, Pair { total: total23, high: high23 }];
        sum(weights.as_chunks().0, &mut pairs);
        let [row0, row1] = pairs[0].sums();
        let [row2, row3] = pairs[1].sums();
        for ((out, row), &multiplier) in out.iter_mut().zip([row0, row1, row2, row3]).zip(multipliers) {
            *out = requantize(row, multiplier as i32);
        }
    }
}
