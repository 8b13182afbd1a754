use crate::config::Activation;
#[cfg(not(feature = "std"))]
use crate::math::tanh;

/// Applies the activation to the rows of a level in place: what it gives are the first [`Activation::rows_per_value`]-th of
/// `values`, each in [-1, 1]; what is behind them is of no meaning.
pub fn activate_f32(activation: Activation, values: &mut [f32]) {
    #[cfg(feature = "std")]
    crate::kernels::host::VectorUnit::best().tanh_f32(values);
    #[cfg(not(feature = "std"))]
    values.iter_mut().for_each(|value| *value = tanh(*value));
    match activation {
        Activation::Tanh => {}
        Activation::Gated => {
            let (values, gates) = values.split_at_mut(values.len() / 2);
            values.iter_mut().zip(gates).for_each(|(value, gate)| *value *= 0.5 + 0.5 * *gate);
        }
    }
}
