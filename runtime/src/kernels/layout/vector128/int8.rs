use super::sizes::int8::block_words;
use super::{ASSEMBLY, COLUMNS, ROWS, byte, start, write};
use super::{chosen::int8 as chosen, portable::int8 as portable};
use crate::format::{Layout, WeightFormat};
use crate::kernels::layout::{PackedLayout, computing, of_rows};

/// Layout [`super`] with 8-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Vector128I8;

impl PackedLayout for Vector128I8 {
    const NAME: &'static str = "vector128_i8";
    const LAYOUT: Layout = Layout::Vector128;
    const FORMAT: WeightFormat = WeightFormat::Int8;
    const ASSEMBLY: bool = ASSEMBLY;
    const ROWS: usize = ROWS;
    const GROUP: usize = COLUMNS;
    /// Columns of a word.
    const PART: usize = 4;
    const PART_WORDS: usize = 1;
    const READS_BYTES: bool = true;

    computing!();

    #[inline]
    fn block_words(columns: usize) -> usize {
        block_words(columns)
    }

    fn weight(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        if row >= ROWS || column >= columns.next_multiple_of(COLUMNS) {
            return 0;
        }
        byte(block, (column / COLUMNS * ROWS + row) * COLUMNS + column % COLUMNS)
    }

    fn bias(block: &[u32], _columns: usize, row: usize) -> Option<i32> {
        // Every word is a valid bias.
        (row < ROWS).then(|| start(block, row))
    }

    fn multiplier(block: &[u32], columns: usize, row: usize) -> i32 {
        super::multiplier(block, block_words(columns), row)
    }

    fn write_block(
        block: &mut [u32],
        columns: usize,
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
    ) {
        if block.len() == block_words(columns) {
            write(block, of_rows(bias), of_rows(multiplier), ROWS, weight);
        }
    }
}
