//! Whole layers on a computer, by the kernels of [`crate::kernels::host`].

use super::{Input, LinearInt, Rows};
use crate::kernels::host::{Table, VectorUnit};

/// Rows whose pre-activations are kept on the stack, between two kernels. A multiple of the rows of every kernel.
const ROWS_AT_ONCE: usize = 128;

impl LinearInt<'_> {
    /// [`LinearInt::forward`], if the layer has an order of weights that these kernels read; else does nothing.
    pub(super) fn forward_host(&self, input: Input<'_>, out: &mut [i32]) -> bool {
        let rows = self.shape.fan_out.min(out.len());
        self.rows_host(VectorUnit::best(), input, 0, &mut out[..rows])
    }

    /// [`LinearInt::forward_tanh`]; as [`Self::forward_host`].
    pub(super) fn forward_tanh_host(&self, input: Input<'_>, out: &mut [i8]) -> bool {
        let unit = VectorUnit::best();
        let rows = self.shape.fan_out.min(out.len());
        let mut sums = [0; ROWS_AT_ONCE];
        out[..rows].chunks_mut(ROWS_AT_ONCE).enumerate().all(|(block, out)| {
            let sums = &mut sums[..out.len()];
            let computed = self.rows_host(unit, input, block * ROWS_AT_ONCE, sums);
            if computed {
                unit.tanh_i8(sums, out);
            }
            computed
        })
    }

    /// Requantized sums of the rows from `start` on, as many as `out` takes.
    fn rows_host(&self, unit: VectorUnit, input: Input<'_>, start: usize, out: &mut [i32]) -> bool {
        let (fan_in, rows) = (self.shape.fan_in(), self.shape.fan_out);
        let scaling = self.scaling();
        match (&self.rows, input) {
            (&Rows::Table { table: entries, vocab_size, .. }, Input::Tokens(tokens)) => {
                let table = Table { entries, vocab_size, rows, start };
                unit.look_up(table, tokens, &scaling.bias[start..], &scaling.multiplier[start..], out);
            }
            (Rows::Int8 { weights, .. }, Input::Prepared(input, _)) => {
                let x = &bytemuck::cast_slice(input)[..fan_in];
                let weights = &weights[start * fan_in..];
                unit.rows_i8(weights, x, &scaling.bias[start..], &scaling.multiplier[start..], out);
            }
            #[cfg(feature = "int4")]
            (Rows::Int4 { weights, .. }, Input::Prepared(input, _)) => {
                let x = &bytemuck::cast_slice(input)[..fan_in];
                let weights = &weights[start * fan_in.div_ceil(2)..];
                unit.rows_i4(weights, x, &scaling.bias[start..], &scaling.multiplier[start..], out);
            }
            _ => return false,
        }
        true
    }
}
