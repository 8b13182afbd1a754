use crate::format::slab::Slab;
use crate::rows::padded;

/// Linear layer `y = W x + b` (`nn.Linear`), with weights in layout `Rows8` (see [`crate::kernels`]) and rows padded to
/// a whole block.
///
/// In the trained network the levels have no bias; here the bias comes from BatchNorm, which is folded into weights and
/// biases.
#[derive(Clone, Copy, Debug)]
pub struct LinearF32<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
}

impl<'a> LinearF32<'a> {
    /// Reads `fan_out` rows of `fan_in` columns, bias first, from the front of `values`. If values are missing, the
    /// layer has no rows.
    pub fn new(values: &'a [f32], fan_in: usize, fan_out: usize) -> Self {
        let rows = padded(fan_out);
        let (bias, rest) = values.split_at_checked(rows).unwrap_or_default();
        Self { bias, weight: rest.get(..rows * fan_in).unwrap_or(&[]) }
    }

    /// Takes the values that [`Self::new`] reads from the front of the slab. Returns `None` if the slab is too short or
    /// a value is not allowed.
    pub(crate) fn take(slab: &mut Slab<'_>, fan_in: usize, fan_out: usize) -> Option<()> {
        let rows = padded(fan_out);
        slab.take_f32(rows)?;
        slab.take_f32(rows * fan_in)?;
        Some(())
    }

    /// Returns weights and biases, in blocks of eight rows.
    #[cfg(feature = "std")]
    pub(crate) fn parts(&self) -> (&'a [f32], &'a [f32]) {
        (self.weight, self.bias)
    }

    /// Computes the layer. `x` has `fan_in` values, `y` has `padded(fan_out)`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        crate::kernels::vec_mat_f32(self.weight, self.bias, x, y);
    }
}
