//! Layers on the vector extension of Cortex-M55 and M85.

use super::{Input, LinearInt};
use crate::format::Layout;
use crate::kernels::Out;
use crate::kernels::layout::vector128::mve::Matrix;
use crate::rows::padded;
use crate::vocab::Token;

/// The weights in blocks, with what has been checked of them.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'n>(Option<Matrix<'n>>);

impl Kept<'_> {
    /// Returns nothing kept yet.
    #[inline]
    pub const fn none() -> Self {
        Self(None)
    }
}

impl LinearInt<'_> {
    /// Adds what the vector unit keeps; the layer's input has that many words.
    pub(crate) fn keep(mut self, input_words: usize) -> Self {
        let rows = padded(self.fan_out);
        if self.kernel.is_some_and(|kernel| kernel.layout() == Layout::Vector128) {
            self.kept.0 = Matrix::new(self.format, self.words, input_words, rows);
        }
        self
    }

    /// Computes all rows on the vector unit. Returns `out` where the unit cannot.
    #[inline(always)]
    pub(super) fn run_on_unit<'o>(&self, input: &Input<'_>, out: Out<'o>) -> Option<Out<'o>> {
        let Some(matrix) = &self.kept.0 else { return Some(out) };
        matrix.run(input.words_and_more(), out);
        None
    }

    /// Computes level 0 from a table on the vector unit. Returns whether the unit can: here its routine for pairs does.
    #[inline(always)]
    pub(super) fn look_up_on_unit(&self, _tokens: &[Token], _out: &mut [i8]) -> bool {
        false
    }
}
