use crate::activation::Activation;
use crate::math::gate;
#[cfg(not(feature = "std"))]
use crate::math::tanh;

/// Applies the activation to the rows of a level in place. What it gives are the first `rows.len()` divided by
/// [`Activation::rows_per_value`], each in [-1, 1]; what is behind them is of no meaning.
pub fn activate_f32(activation: Activation, rows: &mut [f32]) {
    #[cfg(feature = "std")]
    crate::kernels::host::VectorUnit::best().tanh_f32(rows);
    #[cfg(not(feature = "std"))]
    rows.iter_mut().for_each(|row| *row = tanh(*row));
    match activation {
        Activation::Tanh => {}
        Activation::Gated => {
            let (values, gates) = rows.split_at_mut(rows.len() / 2);
            values.iter_mut().zip(gates).for_each(|(value, other)| *value = gate(*value, *other));
        }
    }
}
