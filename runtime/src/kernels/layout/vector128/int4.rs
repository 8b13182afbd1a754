use super::sizes::int4::block_words;
use super::{ASSEMBLY, COLUMNS, ROWS, byte, start, write};
use super::{chosen::int4 as chosen, portable::int4 as portable};
use crate::format::{Layout, WeightFormat};
use crate::kernels::layout::{PackedLayout, computing, of_rows};

/// Layout [`super`] with 4-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Vector128I4;

impl PackedLayout for Vector128I4 {
    const NAME: &'static str = "vector128_i4";
    const LAYOUT: Layout = Layout::Vector128;
    const FORMAT: WeightFormat = WeightFormat::Int4;
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
        let byte = i32::from(byte(block, (column / COLUMNS * (ROWS / 2) + row / 2) * COLUMNS + column % COLUMNS));
        // The lower half, sign-extended; or the upper half with the borrow added back. In a byte that no writer makes,
        // either may be out of range (-8 or 8).
        let even = (byte << 28) >> 28;
        if row.is_multiple_of(2) { even as i8 } else { ((byte - even) >> 4) as i8 }
    }

    fn bias(block: &[u32], _columns: usize, row: usize) -> Option<i32> {
        if row >= ROWS {
            return None;
        }
        let sixteenth = |value: i32| (value % 16 == 0).then_some(value / 16);
        let even = sixteenth(start(block, row & !1))?;
        if row.is_multiple_of(2) { Some(even) } else { sixteenth(start(block, row).checked_sub(even)?) }
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
        if block.len() != block_words(columns) {
            return;
        }
        let bias: [i32; ROWS] = of_rows(bias);
        let start = core::array::from_fn(|row| {
            let below = if row.is_multiple_of(2) { 0 } else { bias[row - 1] };
            bias[row].wrapping_mul(16).wrapping_add(below)
        });
        write(block, start, of_rows(multiplier), ROWS / 2, |pair, column| {
            weight(2 * pair + 1, column).wrapping_mul(16).wrapping_add(weight(2 * pair, column))
        });
    }
}
