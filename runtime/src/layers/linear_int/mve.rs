//! Layers on the vector extension of Cortex-M55 and M85.

use super::{Input, LinearInt};
use crate::format::Layout;
use crate::kernels::Out;
use crate::kernels::layout::vector128::mve::Matrix;
use crate::rows::padded;
use crate::vocab::Token;

/// Weights in blocks, checked for the vector unit.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'n>(Option<Matrix<'n>>);

impl Kept<'_> {
    /// Returns an empty value: nothing is kept yet.
    #[inline]
    pub const fn none() -> Self {
        Self(None)
    }
}

impl LinearInt<'_> {
    /// Adds the data that the vector unit keeps. The layer's input has `input_words` words.
    pub(crate) fn keep(mut self, input_words: usize) -> Self {
        let rows = padded(self.fan_out);
        if self.kernel.is_some_and(|kernel| kernel.layout() == Layout::Vector128) {
            self.kept.0 = Matrix::new(self.format, self.words, input_words, rows);
        }
        self
    }

    /// Computes all rows on the vector unit. Returns `out` if the unit cannot.
    #[inline(always)]
    pub(super) fn run_on_unit<'o>(&self, input: &Input<'_>, out: Out<'o>) -> Option<Out<'o>> {
        let Some(matrix) = &self.kept.0 else { return Some(out) };
        matrix.run(input.words_and_more(), out);
        None
    }

    /// Computes level 0 from a table on the vector unit. Returns whether the unit can: here it cannot, as its routine
    /// for pairs is used.
    #[inline(always)]
    pub(super) fn look_up_on_unit(&self, _tokens: &[Token], _out: &mut [i8]) -> bool {
        false
    }
}
