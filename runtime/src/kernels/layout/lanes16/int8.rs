use super::block::Kind;
use super::sizes::int8::{GROUP, PART, PART_WORDS, block_words};
use super::{ASSEMBLY, LIMIT, ROWS};
use super::{chosen::int8 as chosen, portable::int8 as portable};
use crate::format::{Layout, WeightFormat};
use crate::kernels::layout::{PackedLayout, computing};

/// Kind of the blocks with 8-bit weights.
const KIND: Kind = Kind { log2_bits: 3, log2_split: 1, words: block_words };

/// Layout [`super`] with 8-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Lanes16I8;

impl PackedLayout for Lanes16I8 {
    const NAME: &'static str = "lanes16_i8";
    const LAYOUT: Layout = Layout::Lanes16;
    const FORMAT: WeightFormat = WeightFormat::Int8;
    const ASSEMBLY: bool = ASSEMBLY;
    const ROWS: usize = ROWS;
    const GROUP: usize = GROUP;
    const PART: usize = PART;
    const PART_WORDS: usize = PART_WORDS;
    const MOST_COLUMNS: usize = LIMIT;

    computing!();

    #[inline]
    fn block_words(columns: usize) -> usize {
        block_words(columns)
    }

    fn weight(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        KIND.weight(block, columns, row, column)
    }

    fn bias(block: &[u32], columns: usize, row: usize) -> Option<i32> {
        KIND.bias(block, columns, row)
    }

    fn multiplier(block: &[u32], columns: usize, row: usize) -> i32 {
        KIND.multiplier(block, columns, row)
    }

    fn write_block(
        block: &mut [u32],
        columns: usize,
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
    ) {
        KIND.write(block, columns, bias, multiplier, weight);
    }
}
