//! Whole layers on a computer, by the kernels of [`crate::kernels::host`].

use alloc::sync::Arc;

use super::{Input, LinearInt, Scaling};
use crate::format::WeightFormat;
use crate::kernels::host::{Bias, Output, Table, VectorUnit};
use crate::vocab::Token;

impl<'n> LinearInt<'n> {
    /// What rows have, without what is behind.
    fn scaling_of_rows(&self) -> Scaling<'n> {
        let (Scaling { bias, multiplier }, rows) = (self.scaling(), self.fan_out);
        Scaling { bias: bias.get(..rows).unwrap_or(&[]), multiplier: multiplier.get(..rows).unwrap_or(&[]) }
    }

    /// `bias - 128 * sum of the weights` of rows of 8-bit weights; nothing for others.
    ///
    /// Summed once, when a model is loaded: it spares the kernel an instruction for every 64 weights.
    fn shifted_bias(&self, fan_in: usize) -> Option<Arc<[i32]>> {
        if self.kernel.is_some() || self.format != WeightFormat::Int8 {
            return None;
        }
        let rows = self.bytes()[..fan_in * self.fan_out].chunks_exact(fan_in.max(1));
        let sums = rows.map(|row| row.iter().map(|&weight| i32::from(weight)).sum::<i32>());
        Some(self.scaling().bias.iter().zip(sums).map(|(bias, sum)| bias.wrapping_sub(sum.wrapping_mul(128))).collect())
    }

    /// The same with what the host's kernels take; `fan_in`: columns of the matrix.
    pub(crate) fn for_host(self, fan_in: usize) -> Self {
        Self { shifted: self.shifted_bias(fan_in), ..self }
    }
}

impl LinearInt<'_> {
    /// [`LinearInt::forward`], if the layer has an order of weights that these kernels read; else does nothing.
    pub(super) fn forward_host(&self, input: &Input<'_>, out: &mut [i32]) -> bool {
        let rows = self.fan_out.min(out.len());
        self.rows_host(input, Output::Rows(&mut out[..rows]))
    }

    /// A level without its gates; as [`Self::forward_host`].
    pub(super) fn forward_tanh_host(&self, input: &Input<'_>, out: &mut [i8]) -> bool {
        let rows = self.fan_out.min(out.len());
        self.rows_host(input, Output::Tanh(&mut out[..rows]))
    }

    /// The same of a table.
    pub(super) fn look_up_host(&self, tokens: &[Token], out: &mut [i8]) -> bool {
        let rows = self.fan_out.min(out.len());
        let Scaling { bias, multiplier } = self.scaling_of_rows();
        let (entries, vocab_size) = (self.bytes(), self.vocab_size);
        let table = Table { entries, vocab_size, rows: self.fan_out, start: 0 };
        VectorUnit::best().look_up(table, tokens, bias, multiplier, Output::Tanh(&mut out[..rows]));
        true
    }

    /// As many rows as `out` takes.
    fn rows_host(&self, input: &Input<'_>, out: Output<'_>) -> bool {
        let (unit, x) = (VectorUnit::best(), input.bytes());
        let fan_in = x.len();
        let Scaling { bias, multiplier } = self.scaling_of_rows();
        match (self.format, self.kernel) {
            (WeightFormat::Int8, None) => {
                let weights = &self.bytes()[..fan_in * self.fan_out];
                unit.rows_i8(
                    weights,
                    x,
                    Bias { plain: bias, shifted: self.shifted.as_deref().unwrap_or(&[]) },
                    multiplier,
                    out,
                );
            }
            (WeightFormat::Int4, None) => {
                let weights = &self.bytes()[..fan_in.div_ceil(2) * self.fan_out];
                unit.rows_i4(bytemuck::cast_slice(weights), x, bias, multiplier, out);
            }
            _ => return false,
        }
        true
    }
}
