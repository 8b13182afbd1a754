//! Layers on the vector extension of Cortex-M55 and M85.

use super::{Input, LinearInt};
use crate::format::{Layout, WeightFormat};
use crate::kernels::Out;
use crate::kernels::layout::vector128::mve::Matrix;
use crate::kernels::routine::mve::Table;
use crate::rows::padded;

/// Weights, checked for the vector unit.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'n>(Weights<'n>);

#[derive(Clone, Copy, Debug)]
enum Weights<'n> {
    None,
    Matrix(Matrix<'n>),
    Table(Table<'n>),
}

impl Kept<'_> {
    /// Returns an empty value: nothing is kept yet.
    #[inline]
    pub const fn none() -> Self {
        Self(Weights::None)
    }
}

impl LinearInt<'_> {
    /// Adds the data that the vector unit keeps. The layer's rows have `columns` columns.
    pub(crate) const fn keep(mut self, columns: usize) -> Self {
        if let Some(kernel) = self.kernel
            && matches!(kernel.layout(), Layout::Vector128)
            && let Some(matrix) = Matrix::new(self.format, self.words, columns / size_of::<u32>(), padded(self.fan_out))
        {
            self.kept.0 = Weights::Matrix(matrix);
        }
        // A table has a column for each character.
        if matches!(self.format, WeightFormat::Table)
            && columns == 2
            && let Some(table) = Table::new(self.words, self.vocab_size, self.fan_out)
        {
            self.kept.0 = Weights::Table(table);
        }
        self
    }

    /// Computes all rows on the vector unit. Returns `out` if the unit cannot.
    #[inline(always)]
    pub(super) fn run_on_unit<'o>(&self, input: &Input<'_>, out: Out<'o>) -> Option<Out<'o>> {
        let Weights::Matrix(matrix) = &self.kept.0 else { return Some(out) };
        matrix.run(input.words_and_more(), out);
        None
    }

    /// Computes a level on the vector unit, without gates. Returns whether the unit can.
    #[inline(always)]
    pub(super) fn level_on_unit(&self, input: &Input<'_>, out: &mut [i8]) -> bool {
        let curve = self.activation.curve();
        // Not a `match`, which would first compute the variant's number.
        if let Weights::Matrix(matrix) = &self.kept.0 {
            matrix.run(input.words_and_more(), Out::Curve(out, curve));
            return true;
        }
        match (&self.kept.0, input.words_and_more()) {
            (Weights::Table(table), [tokens, ..]) => {
                let [older, newer, _, _] = tokens.to_le_bytes();
                table.look_up([older, newer], curve, out)
            }
            _ => false,
        }
    }
}
