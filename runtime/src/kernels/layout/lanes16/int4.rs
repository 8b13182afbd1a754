use super::block::Kind;
use super::sizes::int4::{GROUP, PART, PART_WORDS, block_words};
use super::{ASSEMBLY, LIMIT, ROWS};
use super::{chosen::int4 as chosen, portable::int4 as portable};
use crate::format::{Layout, WeightFormat};
use crate::kernels::layout::{PackedLayout, computing};

/// Kind of the blocks with 4-bit weights.
const KIND: Kind = Kind { log2_bits: 2, log2_split: GROUP.ilog2(), words: block_words };
const _: () = assert!(GROUP.is_power_of_two());

/// Layout [`super`] with 4-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Lanes16I4;

impl PackedLayout for Lanes16I4 {
    const NAME: &'static str = "lanes16_i4";
    const LAYOUT: Layout = Layout::Lanes16;
    const FORMAT: WeightFormat = WeightFormat::Int4;
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
