//! Types that the kernels of all vector units share.

use crate::rows::LANES;
use crate::vocab::Token;

/// Number of words computed together in a batch.
pub const STREAMS: usize = 32;

/// One value for each of [`STREAMS`] words, aligned to a cache line, which is also the widest vector.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Tile<T>(pub [T; STREAMS]);

impl<T: Copy + Default> Default for Tile<T> {
    fn default() -> Self {
        Self([T::default(); STREAMS])
    }
}

/// Start values of the sums of rows; both slices are `[rows]`.
#[derive(Clone, Copy, Debug)]
pub struct Bias<'a> {
    /// The bias of each row.
    pub plain: &'a [i32],
    /// `bias - 128 * sum_c weights[row][c]`, for kernels that add 128 to `x` so that it is never negative.
    pub shifted: &'a [i32],
}

/// Level 0 as a table: `[fuse][vocab_size][rows]`, the entries of each character at each position.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The entries.
    pub entries: &'a [i8],
    /// Number of characters.
    pub vocab_size: usize,
    /// Number of rows of the layer.
    pub rows: usize,
    /// First row to compute.
    pub start: usize,
}

impl<'a> Table<'a> {
    /// Returns the entries of a character for the rows from `start + row` on, or an empty slice for a character outside
    /// the table.
    #[inline]
    pub fn entries(&self, position: usize, token: Token, row: usize) -> &'a [i8] {
        let character = (position * self.vocab_size + usize::from(token)) * self.rows;
        self.entries.get(character + self.start + row..character + self.rows).unwrap_or(&[])
    }
}

/// Bias, sum of weights and multiplier of eight rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockScaling {
    /// Start value of the sum.
    pub bias: [i32; LANES],
    /// Sum of weights, `sum_c w[r][c]`, for kernels that shift `x` so that it is never negative.
    pub sum: [i32; LANES],
    /// Multiplier of [`crate::quant::requantize`].
    pub multiplier: [i32; LANES],
}
