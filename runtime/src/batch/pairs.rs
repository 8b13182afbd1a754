//! Level 0 for every combination of characters.

use alloc::vec;
use alloc::vec::Vec;

use crate::vocab::{BOUNDARY, Token};

/// Outputs of level 0 for every combination of characters, if these are few. The output depends on nothing else.
///
/// For pairs of 27 characters and 128 values of 8 bits it takes 93 kB, which fit in a core's cache together with the
/// weights.
pub struct Pairs<C> {
    vocab_size: usize,
    cells: usize,
    /// Cells `[vocab_size]...[vocab_size][cells]`, the oldest character first; empty if there are too many.
    rows: Vec<C>,
}

/// Limit of the table's size, in bytes.
const MAX_PAIRS_BYTES: usize = 1 << 20;

impl<C: Copy> Pairs<C> {
    /// Computes `cells` cells for each combination, by `first`.
    pub fn new(vocab_size: usize, fuse: usize, cells: usize, first: impl Fn(&[Token]) -> Vec<C>) -> Self {
        let bytes = u32::try_from(fuse).ok().and_then(|fuse| vocab_size.checked_pow(fuse));
        let count = bytes.filter(|&count| count <= MAX_PAIRS_BYTES / (cells.max(1) * size_of::<C>())).unwrap_or(0);
        let mut tokens = vec![BOUNDARY; fuse];
        let mut rows = Vec::with_capacity(count * cells);
        for _ in 0..count {
            rows.extend(first(&tokens));
            for token in tokens.iter_mut().rev() {
                *token = if usize::from(*token) + 1 < vocab_size { *token + 1 } else { BOUNDARY };
                if *token != BOUNDARY {
                    break;
                }
            }
        }
        Self { vocab_size, cells, rows }
    }

    /// Returns the cells for `tokens`, if they are kept.
    pub fn get(&self, tokens: &[Token]) -> Option<&[C]> {
        if self.rows.is_empty() {
            return None;
        }
        let index = tokens.iter().fold(0, |index, &token| index * self.vocab_size + usize::from(token));
        Some(&self.rows[index * self.cells..][..self.cells])
    }
}
