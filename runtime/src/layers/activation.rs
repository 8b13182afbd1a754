use crate::activation::Activation;
use crate::kernels;
use crate::math::gate;

/// Applies the activation to the rows of a level in place. The level's values are the first `rows.len()` divided by
/// [`Activation::rows_per_value`]; the rows after them are unspecified.
// Not inlined: otherwise its floating-point registers would be saved on the stack while the layer is computed.
#[inline(never)]
pub fn activate_f32(activation: Activation, rows: &mut [f32]) {
    kernels::activate_f32(activation, rows);
    if activation.is_gated() {
        let (values, gates) = rows.split_at_mut(rows.len() / 2);
        values.iter_mut().zip(gates).for_each(|(value, other)| *value = gate(*value, *other));
    }
}
