//! Computes whole layers on a computer, with the kernels of [`crate::kernels::host`].

use alloc::vec::Vec;
use core::marker::PhantomData;
use std::sync::OnceLock;

use super::{Input, LinearInt, Scaling};
use crate::format::WeightFormat;
use crate::kernels::Out;
use crate::kernels::host::{Bias, Table, VectorUnit};

/// `bias - 128 * sum of the weights` of each row of 8-bit weights; see [`Bias`].
///
/// Computed once, at the layer's first use. The sums save the kernel an instruction for every 64 weights.
#[derive(Clone, Debug)]
pub struct Kept<'n>(OnceLock<Vec<i32>>, PhantomData<&'n ()>);

impl Kept<'_> {
    /// Returns an empty value: nothing is kept yet.
    pub const fn none() -> Self {
        Self(OnceLock::new(), PhantomData)
    }
}

impl<'n> LinearInt<'n> {
    /// Adds the data that the vector unit keeps. On hosts that happens at the first use.
    #[inline]
    pub(crate) const fn keep(self, _columns: usize) -> Self {
        self
    }

    /// Returns bias and multiplier, cut to the layer's rows.
    fn scaling_of_rows(&self) -> Scaling<'n> {
        let (Scaling { bias, multiplier }, rows) = (self.scaling(), self.fan_out);
        Scaling { bias: bias.get(..rows).unwrap_or(&[]), multiplier: multiplier.get(..rows).unwrap_or(&[]) }
    }

    /// Computes all rows on the vector unit. Returns `out` if the unit cannot.
    pub(super) fn run_on_unit<'o>(&self, input: &Input<'_>, out: Out<'o>) -> Option<Out<'o>> {
        if self.kernel.is_some() {
            return Some(out);
        }
        let (unit, x, Scaling { bias, multiplier }) = (VectorUnit::best(), input.bytes(), self.scaling_of_rows());
        let rows = self.fan_out.min(out.len());
        let out = out.first(rows);
        match self.format {
            WeightFormat::Int8 => {
                let weights = &self.bytes()[..x.len() * self.fan_out];
                let shifted = self.kept.0.get_or_init(|| shifted_bias(weights, x.len(), bias));
                unit.rows_i8(weights, x, Bias { plain: bias, shifted }, multiplier, out);
            }
            WeightFormat::Int4 => {
                let weights = &self.bytes()[..x.len().div_ceil(2) * self.fan_out];
                unit.rows_i4(bytemuck::cast_slice(weights), x, bias, multiplier, out);
            }
            _ => return Some(out),
        }
        None
    }

    /// Computes a level from a table on the vector unit, without gates. Returns `false` for other levels, whose rows
    /// [`Self::run_on_unit`] computes.
    pub(super) fn level_on_unit(&self, input: &Input<'_>, out: &mut [i8]) -> bool {
        if self.format != WeightFormat::Table {
            return false;
        }
        let rows = self.fan_out.min(out.len());
        let Scaling { bias, multiplier } = self.scaling_of_rows();
        let (entries, vocab_size) = (self.bytes(), self.vocab_size);
        let table = Table { entries, vocab_size, rows: self.fan_out, start: 0 };
        let out = Out::Curve(&mut out[..rows], self.activation.curve());
        VectorUnit::best().look_up(table, input.tokens(), bias, multiplier, out);
        true
    }
}

/// Returns `bias - 128 * sum of the weights` of each row.
fn shifted_bias(weights: &[i8], fan_in: usize, bias: &[i32]) -> Vec<i32> {
    let rows = weights.chunks_exact(fan_in.max(1));
    let sums = rows.map(|row| row.iter().map(|&weight| i32::from(weight)).sum::<i32>());
    bias.iter().zip(sums).map(|(bias, sum)| bias.wrapping_sub(sum.wrapping_mul(128))).collect()
}
