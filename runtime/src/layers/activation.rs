use crate::config::Activation;
#[cfg(not(feature = "std"))]
use crate::math::tanh;

/// Applies the activation to every value in place; the output of tanh lies in [-1, 1].
pub fn activate_f32(activation: Activation, values: &mut [f32]) {
    match activation {
        #[cfg(feature = "std")]
        Activation::Tanh => crate::kernels::host::VectorUnit::best().tanh_f32(values),
        #[cfg(not(feature = "std"))]
        Activation::Tanh => values.iter_mut().for_each(|value| *value = tanh(*value)),
    }
}
