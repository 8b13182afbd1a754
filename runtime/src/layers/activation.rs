use crate::config::Activation;
use crate::math::tanh;

/// Applies the activation to every value in place; the output of tanh lies in [-1, 1].
pub fn activate_f32(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Tanh => values.iter_mut().for_each(|value| *value = tanh(*value)),
    }
}
