//! Whole layers on a computer, by the kernels of [`crate::kernels::host`].

use alloc::sync::Arc;

use super::{Input, LinearInt, Rows, Scaling};
use crate::kernels::host::{Bias, Output, Table, VectorUnit};

/// `bias - 128 * sum of the weights` of rows of 8-bit weights; nothing for others.
///
/// Summed once, when a model is loaded: it spares the kernel an instruction for every 64 weights.
pub(super) fn shifted_bias(rows: &Rows<'_>) -> Arc<[i32]> {
    let Rows::Int8 { scaling, weights } = rows else { return Arc::default() };
    let fan_in = weights.len() / scaling.bias.len().max(1);
    let sums = weights.chunks_exact(fan_in.max(1)).map(|row| row.iter().map(|&weight| i32::from(weight)).sum::<i32>());
    // Wrapping: whether sums fit is checked behind this.
    scaling.bias.iter().zip(sums).map(|(bias, sum)| bias.wrapping_sub(sum.wrapping_mul(128))).collect()
}

impl LinearInt<'_> {
    /// [`LinearInt::forward`], if the layer has an order of weights that these kernels read; else does nothing.
    pub(super) fn forward_host(&self, input: Input<'_>, out: &mut [i32]) -> bool {
        let rows = self.shape.fan_out.min(out.len());
        self.rows_host(input, Output::Rows(&mut out[..rows]))
    }

    /// A level without its gates; as [`Self::forward_host`].
    pub(super) fn forward_tanh_host(&self, input: Input<'_>, out: &mut [i8]) -> bool {
        let rows = self.shape.fan_out.min(out.len());
        self.rows_host(input, Output::Tanh(&mut out[..rows]))
    }

    /// As many rows as `out` takes.
    fn rows_host(&self, input: Input<'_>, out: Output<'_>) -> bool {
        let (unit, fan_in) = (VectorUnit::best(), self.shape.fan_in());
        let Scaling { bias, multiplier } = self.scaling();
        match (&self.rows, input) {
            (&Rows::Table { table: entries, vocab_size, .. }, Input::Tokens(tokens)) => {
                let table = Table { entries, vocab_size, rows: self.shape.fan_out, start: 0 };
                unit.look_up(table, tokens, bias, multiplier, out);
            }
            (Rows::Int8 { weights, .. }, Input::Prepared(input, _)) => {
                let x = &bytemuck::cast_slice(input)[..fan_in];
                unit.rows_i8(weights, x, Bias { plain: bias, shifted: &self.shifted }, multiplier, out);
            }
            #[cfg(feature = "int4")]
            (Rows::Int4 { weights, .. }, Input::Prepared(input, _)) => {
                unit.rows_i4(weights, &bytemuck::cast_slice(input)[..fan_in], bias, multiplier, out);
            }
            _ => return false,
        }
        true
    }
}
