use crate::format::Slab;
use crate::kernels::padded;

/// `y = W x + b` (`nn.Linear`), weights in layout `Rows8` (see [`crate::kernels`]), rows padded to a whole block.
///
/// In the trained network the levels have no bias; theirs is what BatchNorm became when it was folded into the weights.
#[derive(Clone, Copy, Debug)]
pub struct LinearF32<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
}

impl<'a> LinearF32<'a> {
    /// Of no rows.
    #[cfg(not(feature = "int8"))]
    pub(crate) const NONE: Self = Self { weight: &[], bias: &[] };

    /// Takes `fan_out` rows of `fan_in` columns, bias first, from the front of the slab.
    /// `None` if the slab is too short, or a value is not allowed.
    pub(crate) fn take(slab: &mut Slab<'a>, fan_in: usize, fan_out: usize) -> Option<Self> {
        let rows = padded(fan_out);
        Some(Self { bias: slab.take_f32(rows)?, weight: slab.take_f32(rows * fan_in)? })
    }

    /// Weights and biases, in blocks of eight rows.
    #[cfg(feature = "std")]
    pub(crate) fn parts(&self) -> (&'a [f32], &'a [f32]) {
        (self.weight, self.bias)
    }

    /// Computes the layer. `x` has `fan_in` values, `y` has `padded(fan_out)`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        #[cfg(feature = "std")]
        crate::kernels::host::VectorUnit::best().vec_mat_f32(self.weight, self.bias, x, y);
        #[cfg(not(feature = "std"))]
        crate::kernels::vec_mat_f32(self.weight, self.bias, x, y);
    }
}
