use super::sizes::int8::{GROUP, PART_WORDS, ROWS, block_words};
use super::{chosen::int8 as chosen, portable::int8 as portable};
use super::{high, lanes, low, smlad, sxtab16};
use crate::format::{Layout, WeightFormat};
use crate::kernels::layout::{PackedLayout, computing, of_rows};

/// Returns the products of weights with weights, which are part of a row's start value.
fn cross(block: &[u32], columns: usize, row: usize) -> i32 {
    let weights = block.get(ROWS..).and_then(|weights| weights.get(..columns * ROWS / 4)).unwrap_or(&[]);
    let (groups, _) = weights.as_chunks::<{ 2 * ROWS }>();
    groups.iter().fold(0, |acc, group| {
        let (rows, _) = group.as_chunks::<2>();
        rows.get(row).map_or(acc, |&[v, w]| smlad(sxtab16(0, v), sxtab16(0, w), acc))
    })
}

/// Layout [`super`] with 8-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Dual16I8;

impl PackedLayout for Dual16I8 {
    const NAME: &'static str = "dual16_i8";
    const LAYOUT: Layout = Layout::Dual16;
    const FORMAT: WeightFormat = WeightFormat::Int8;
    const ASSEMBLY: bool = cfg!(kernel = "dsp");
    const ROWS: usize = ROWS;
    const GROUP: usize = GROUP;
    const PART: usize = GROUP;
    const PART_WORDS: usize = PART_WORDS;

    computing!();

    #[inline]
    fn block_words(columns: usize) -> usize {
        block_words(columns)
    }

    fn weight(block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        if row >= ROWS || column >= columns {
            return 0;
        }
        let at = ROWS + (column / 8 * ROWS + row) * 2 + column % 8 / 4;
        let word = block.get(at).copied().unwrap_or(0);
        let lane = if column % 4 < 2 { low(word) } else { high(word) };
        let even = lane as i8;
        // The rest is a multiple of 256. A lane near -32,768 wraps to a byte that packing does not make.
        if column.is_multiple_of(2) { even } else { ((lane - i32::from(even)) >> 8) as i8 }
    }

    fn bias(block: &[u32], columns: usize, row: usize) -> Option<i32> {
        let start = *block.get(..ROWS)?.get(row)? as i32;
        let scaled = start.wrapping_add(cross(block, columns, row));
        (scaled & 255 == 0).then_some(scaled >> 8)
    }

    fn multiplier(block: &[u32], columns: usize, row: usize) -> i32 {
        block
            .get(ROWS + columns..)
            .and_then(|multiplier| multiplier.get(row))
            .map_or(0, |&multiplier| multiplier as i32)
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
        let weights = block.iter_mut().skip(ROWS);
        for (index, word) in weights.enumerate().take(columns * ROWS / 4) {
            let (row, column) = (index / 2 % ROWS, index / (2 * ROWS) * GROUP + index % 2 * 4);
            let weight = |at: usize| i32::from(weight(row, column + at));
            *word = lanes(weight(0) + 256 * weight(1), weight(2) + 256 * weight(3));
        }
        let (bias, multiplier) = (of_rows::<ROWS>(bias), of_rows::<ROWS>(multiplier));
        if let Some((_, last)) = block.split_last_chunk_mut::<ROWS>() {
            *last = multiplier.map(|multiplier| multiplier as u32);
        }
        let start: [u32; ROWS] =
            core::array::from_fn(|row| (bias[row] << 8).wrapping_sub(cross(block, columns, row)) as u32);
        if let Some((first, _)) = block.split_first_chunk_mut::<ROWS>() {
            *first = start;
        }
    }
}
