//! Writes and reads blocks; [`super`] defines their order.

use super::{MIDDLE, ROWS};
use crate::kernels::layout::of_rows;
use crate::quant::ACC_LIMIT;

/// Parameters of the two kinds of block. Logarithms avoid divisions by a number that could be 0.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Logarithm of the bits of a weight.
    pub log2_bits: u32,
    /// Logarithm of the number of columns whose sum is added to the accumulators at once. Each such sum adds 2^15 to
    /// the low row.
    pub log2_split: u32,
    /// Function that returns the words of a block.
    pub words: fn(usize) -> usize,
}

impl Kind {
    /// Returns the word of a weight in the block, and the shift in that word.
    fn place(self, row: usize, column: usize) -> (usize, usize) {
        let log2_lane_columns = 4 - self.log2_bits;
        let in_lane = column & ((1 << log2_lane_columns) - 1);
        let word = ROWS + (column >> log2_lane_columns) * 2 + row / 2;
        (word, row % 2 * 16 + (in_lane << self.log2_bits))
    }

    fn bits(self) -> u32 {
        1 << self.log2_bits
    }

    /// Returns the offset of a weight, which is also its largest magnitude plus one.
    fn offset(self) -> i32 {
        1 << (self.bits() - 1)
    }

    fn mask(self) -> u32 {
        (1 << self.bits()) - 1
    }

    /// Returns the total of all 2^15 that are added to the low row for `columns` columns.
    fn middles(self, columns: usize) -> u32 {
        MIDDLE.wrapping_mul((columns >> self.log2_split) as u32)
    }

    pub fn write(
        self,
        block: &mut [u32],
        columns: usize,
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
    ) {
        if block.len() != (self.words)(columns) {
            return;
        }
        let (bias, multiplier) = (of_rows::<ROWS>(bias), of_rows::<ROWS>(multiplier));
        block.fill(0);
        if let Some((start, _)) = block.split_first_chunk_mut::<ROWS>() {
            let [a, b, c, d] = bias.map(|bias| bias as u32);
            let total = |low: u32, high: u32| low.wrapping_add(high << 16).wrapping_sub(self.middles(columns));
            *start = [total(a, b), b, total(c, d), d];
        }
        for column in 0..columns {
            for row in 0..ROWS {
                let (word, shift) = self.place(row, column);
                let stored = (i32::from(weight(row, column)) + self.offset()) as u32 & self.mask();
                if let Some(word) = block.get_mut(word) {
                    *word |= stored << shift;
                }
            }
        }
        if let Some((_, last)) = block.split_last_chunk_mut::<ROWS>() {
            *last = multiplier.map(|multiplier| multiplier as u32);
        }
    }

    pub fn weight(self, block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        if row >= ROWS || column >= columns {
            return 0;
        }
        let (word, shift) = self.place(row, column);
        let stored = block.get(word).map_or(0, |word| (word >> shift) & self.mask());
        (stored as i32 - self.offset()) as i8
    }

    pub fn bias(self, block: &[u32], columns: usize, row: usize) -> Option<i32> {
        let pair = row % ROWS / 2 * 2;
        let (&total, &high) = (block.get(pair)?, block.get(pair + 1)?);
        let low = total.wrapping_add(self.middles(columns)).wrapping_sub(high << 16);
        let fits = |bias: u32| (bias as i32).unsigned_abs() < ACC_LIMIT as u32;
        (fits(low) && fits(high)).then_some(if row.is_multiple_of(2) { low as i32 } else { high as i32 })
    }

    pub fn multiplier(self, block: &[u32], columns: usize, row: usize) -> i32 {
        let at = (self.words)(columns).wrapping_sub(ROWS).wrapping_add(row % ROWS);
        block.get(at).map_or(0, |&multiplier| multiplier as i32)
    }
}
