//! Packing a layer block by block: what the layouts share.

/// What every layout's `pack` does: `write(block, bias, multiplier, weight)` block by block, with `weight(row of the block,
/// column)`; rows beyond `rows` are zero in everything.
pub(super) fn blocks<const ROWS: usize>(
    block_words: usize,
    bias: &[i32],
    multiplier: &[i32],
    weight: impl Fn(usize, usize) -> i8,
    rows: usize,
    write: impl Fn(&mut [u32], [i32; ROWS], [i32; ROWS], &dyn Fn(usize, usize) -> i8),
) -> alloc::vec::Vec<u32> {
    let mut blocks = alloc::vec![0; block_words * rows.div_ceil(ROWS)];
    for (block, first) in blocks.chunks_exact_mut(block_words).zip((0..rows).step_by(ROWS)) {
        let of = |values: &[i32]| {
            core::array::from_fn(|row| values.get(first + row).copied().filter(|_| first + row < rows).unwrap_or(0))
        };
        let weight = |row: usize, column: usize| if first + row < rows { weight(first + row, column) } else { 0 };
        write(block, of(bias), of(multiplier), &weight);
    }
    blocks
}
