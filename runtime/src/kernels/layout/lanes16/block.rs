//! Writing and reading blocks; how they look stands in [`super`].

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::{BOTH, MIDDLE, ROWS, block_words_i8};
#[cfg(feature = "int4")]
use super::{COLUMNS_I4, block_words_i4};
#[cfg(feature = "alloc")]
use crate::kernels::layout::blocks::blocks;
use crate::quant::ACC_LIMIT;

/// What tells the two kinds of block apart. Logarithms, so that nothing is divided by what could be 0.
#[derive(Clone, Copy)]
struct Kind {
    /// Of the bits of a weight.
    log2_bits: u32,
    /// Of the columns whose sum goes into the accumulators at once: each adds 2^15 to the low row.
    log2_split: u32,
    words: fn(usize) -> usize,
}

const I8: Kind = Kind { log2_bits: 3, log2_split: 1, words: block_words_i8 };
#[cfg(feature = "int4")]
const I4: Kind = Kind { log2_bits: 2, log2_split: COLUMNS_I4.ilog2(), words: block_words_i4 };
#[cfg(feature = "int4")]
const _: () = assert!(COLUMNS_I4.is_power_of_two());

impl Kind {
    /// Word in the block, and shift in it, of a weight.
    fn place(self, row: usize, column: usize) -> (usize, usize) {
        let log2_lane_columns = 4 - self.log2_bits;
        let in_lane = column & ((1 << log2_lane_columns) - 1);
        let word = ROWS + (column >> log2_lane_columns) * 2 + row / 2;
        (word, row % 2 * 16 + (in_lane << self.log2_bits))
    }

    fn bits(self) -> u32 {
        1 << self.log2_bits
    }

    /// The offset of a weight, which is also one more than its largest magnitude.
    fn offset(self) -> i32 {
        1 << (self.bits() - 1)
    }

    fn mask(self) -> u32 {
        (1 << self.bits()) - 1
    }

    /// What splitting adds to the low row of `columns`.
    fn middles(self, columns: usize) -> u32 {
        MIDDLE.wrapping_mul((columns >> self.log2_split) as u32)
    }

    fn write(
        self,
        block: &mut [u32],
        columns: usize,
        bias: [i32; ROWS],
        multiplier: [i32; ROWS],
        weight: impl Fn(usize, usize) -> i8,
    ) {
        if block.len() != (self.words)(columns) {
            return;
        }
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

    fn weight(self, block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        if row >= ROWS || column >= columns {
            return 0;
        }
        let (word, shift) = self.place(row, column);
        let stored = block.get(word).map_or(0, |word| (word >> shift) & self.mask());
        (stored as i32 - self.offset()) as i8
    }

    fn bias(self, block: &[u32], columns: usize, row: usize) -> Option<i32> {
        let pair = row % ROWS / 2 * 2;
        let (&total, &high) = (block.get(pair)?, block.get(pair + 1)?);
        let low = total.wrapping_add(self.middles(columns)).wrapping_sub(high << 16);
        let fits = |bias: u32| (bias as i32).unsigned_abs() < ACC_LIMIT as u32;
        (fits(low) && fits(high)).then_some(if row.is_multiple_of(2) { low as i32 } else { high as i32 })
    }

    fn multiplier(self, block: &[u32], columns: usize, row: usize) -> i32 {
        let at = (self.words)(columns).wrapping_sub(ROWS).wrapping_add(row % ROWS);
        block.get(at).map_or(0, |&multiplier| multiplier as i32)
    }
}

/// The functions of one kind of block.
macro_rules! kind {
    ($kind:ident, $write:ident, $weight:ident, $bias:ident, $multiplier:ident, $pack:ident, $what:literal) => {
        #[doc = concat!("Writes one block of ", $what, ".")]
        ///
        /// `weight(row, column)` with rows from 0 to 3 and `columns` padded columns, 0 for padding. Does nothing where
        /// the length of `block` is not that of one block. What weights may be is for the caller to see to.
        pub fn $write(
            block: &mut [u32],
            columns: usize,
            bias: [i32; ROWS],
            multiplier: [i32; ROWS],
            weight: impl Fn(usize, usize) -> i8,
        ) {
            $kind.write(block, columns, bias, multiplier, weight);
        }

        #[doc = concat!("A weight of a block of ", $what, "; the most negative number for one not allowed.")]
        pub fn $weight(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
            $kind.weight(block, columns, row, column)
        }

        #[doc = concat!("A row's bias in a block of ", $what, "; `None` if start values stand for none below 2^23.")]
        pub fn $bias(block: &[u32], columns: usize, row: usize) -> Option<i32> {
            $kind.bias(block, columns, row)
        }

        #[doc = concat!("A row's multiplier in a block of ", $what, ".")]
        pub fn $multiplier(block: &[u32], columns: usize, row: usize) -> i32 {
            $kind.multiplier(block, columns, row)
        }

        #[doc = concat!("All blocks of a layer of ", $what, ".")]
        ///
        /// `weight(row, padded column)`, 0 for padding. Rows beyond `rows` are zero in everything. Every combination of
        /// bias, multiplier and weights has one encoding, and no bit is unused.
        #[cfg(feature = "alloc")]
        pub fn $pack(
            bias: &[i32],
            multiplier: &[i32],
            weight: impl Fn(usize, usize) -> i8,
            rows: usize,
            columns: usize,
        ) -> Vec<u32> {
            blocks(($kind.words)(columns), bias, multiplier, weight, rows, |block, bias, multiplier, weight| {
                $kind.write(block, columns, bias, multiplier, weight);
            })
        }
    };
}

kind!(I8, write_block_i8, weight_i8, bias_i8, multiplier_i8, pack_i8, "8-bit weights");
#[cfg(feature = "int4")]
kind!(I4, write_block_i4, weight_i4, bias_i4, multiplier_i4, pack_i4, "4-bit weights");

const _: () = assert!(BOTH == 0x0001_0001);
