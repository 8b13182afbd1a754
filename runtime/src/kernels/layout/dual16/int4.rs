use super::sizes::int4::{EVEN, EVEN_OFFSET, GROUP, PART_WORDS, ROWS, block_words};
use super::{chosen::int4 as chosen, portable::int4 as portable};
use super::{lanes, smlad, sxtab16};
use crate::format::{Layout, WeightFormat};
use crate::kernels::layout::{PackedLayout, computing, of_rows};

/// Returns the nibble, 0 to 7, in which a word stores a column.
const fn nibble(column: usize) -> usize {
    (column & 1) | (column & 2) << 1 | (column & 4) >> 1
}

/// Returns the products of weights with weights, which are part of a row's start value.
fn cross(block: &[u32], columns: usize, row: usize) -> i32 {
    let weights = block.get(ROWS..).and_then(|weights| weights.get(..columns * ROWS / 8));
    let (groups, _) = weights.unwrap_or(&[]).as_chunks::<{ 2 * ROWS }>();
    groups.iter().fold(0, |acc, group| {
        let (rows, _) = group.as_chunks::<2>();
        rows.get(row).map_or(acc, |&[v, w]| {
            let mut acc = smlad(sxtab16(0, v >> 8), sxtab16(0, w >> 8), acc);
            for even in [v & EVEN, w & EVEN] {
                // The offset of both coefficients: (2048 + u)(2048 + v) minus the term that does not depend on the
                // weights.
                let offset = lanes(EVEN_OFFSET, EVEN_OFFSET);
                acc = smlad(sxtab16(offset, even), sxtab16(offset, even >> 8), acc);
                acc = acc.wrapping_sub(2 * EVEN_OFFSET * EVEN_OFFSET);
            }
            acc
        })
    })
}

/// Layout [`super`] with 4-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Dual16I4;

impl PackedLayout for Dual16I4 {
    const NAME: &'static str = "dual16_i4";
    const LAYOUT: Layout = Layout::Dual16;
    const FORMAT: WeightFormat = WeightFormat::Int4;
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
        let at = ROWS + (column / 16 * ROWS + row) * 2 + column % 16 / 8;
        let at_nibble = nibble(column % 8);
        let bits = block.get(at).copied().unwrap_or(0) >> (4 * at_nibble) & 15;
        if at_nibble % 4 < 3 { bits as i8 - 8 } else { (bits << 4) as i8 >> 4 }
    }

    fn bias(block: &[u32], columns: usize, row: usize) -> Option<i32> {
        let start = *block.get(..ROWS)?.get(row)? as i32;
        let scaled = start.wrapping_add(cross(block, columns, row));
        (scaled & 15 == 0).then_some(scaled >> 4)
    }

    fn multiplier(block: &[u32], columns: usize, row: usize) -> i32 {
        let multipliers = block.get(ROWS + columns * ROWS / 8..);
        multipliers.and_then(|multiplier| multiplier.get(row)).map_or(0, |&multiplier| multiplier as i32)
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
        for (index, word) in weights.enumerate().take(columns * ROWS / 8) {
            let (row, column) = (index / 2 % ROWS, index / (2 * ROWS) * GROUP + index % 2 * 8);
            let bits = |column: usize| {
                let at = nibble(column % 8);
                let offset = if at % 4 < 3 { 8 } else { 0 };
                ((i32::from(weight(row, column)) + offset) as u32 & 15) << (4 * at)
            };
            *word = (column..column + 8).map(bits).sum();
        }
        let (bias, multiplier) = (of_rows::<ROWS>(bias), of_rows::<ROWS>(multiplier));
        if let Some((_, last)) = block.split_last_chunk_mut::<ROWS>() {
            *last = multiplier.map(|multiplier| multiplier as u32);
        }
        let start: [u32; ROWS] =
            core::array::from_fn(|row| (bias[row] << 4).wrapping_sub(cross(block, columns, row)) as u32);
        if let Some((first, _)) = block.split_first_chunk_mut::<ROWS>() {
            *first = start;
        }
    }
}
