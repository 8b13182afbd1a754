use crate::kernels::{padded, vec_mat_f32};

/// `y = W x + b` (`nn.Linear`), weights in layout `Rows8` (see [`crate::kernels`]), rows padded to a whole block.
///
/// In the trained network the levels have no bias; theirs is what BatchNorm became when it was folded into the weights.
#[derive(Clone, Copy, Debug)]
pub struct LinearF32<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
}

impl<'a> LinearF32<'a> {
    /// Takes `fan_out` rows of `fan_in` columns, bias first, from the front of `slab`; gives the layer and the rest.
    ///
    /// `None` if the slab is too short.
    pub fn split_from(slab: &'a [f32], fan_in: usize, fan_out: usize) -> Option<(Self, &'a [f32])> {
        let rows = padded(fan_out);
        let (bias, rest) = slab.split_at_checked(rows)?;
        let (weight, rest) = rest.split_at_checked(rows * fan_in)?;
        Some((Self { weight, bias }, rest))
    }

    /// Number of `f32` values such a layer takes in the slab.
    pub const fn slab_len(fan_in: usize, fan_out: usize) -> usize {
        padded(fan_out) * (fan_in + 1)
    }

    /// Computes the layer. `x` has `fan_in` values, `y` has `padded(fan_out)`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        vec_mat_f32(self.weight, self.bias, x, y);
    }
}
