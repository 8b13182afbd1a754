//! Scales the levels of an unbounded activation, so that integers can hold their outputs.
//!
//! Integers hold activations in units of 1/127, and at most 127 units. An unbounded activation is positively
//! homogeneous, `f(a x) = a f(x)` for `a > 0`: if the rows of a level are divided by a scale and the columns that read
//! the level are multiplied by it, the network computes the same logits. With the right scale nearly all outputs of the
//! level are between -1 and 1. A blob has only the scaled weights; its format does not know the scales.

use tch::{Kind, Tensor};

use crate::model::activation::is_bounded;
use crate::model::file::{FoldedLinear, FoldedModel};
use crate::model::tensors::level_outputs;

/// Most outputs of a level from which its scale is chosen.
const SAMPLES: i64 = 1_000_000;
/// Number of scales that are tried.
const TRIES: u32 = 60;
/// Scales above this, or below its inverse, are worth another normalisation.
const FAR: f64 = 1.5;

/// Divides the outputs of every level by its scale if the activation is unbounded; returns the scales.
///
/// The outputs are measured on `contexts` `[N, block_size]` (i64). Logits stay the same except for rounding in f32.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn normalize(model: &mut FoldedModel, contexts: &Tensor) -> Vec<f64> {
    let scales = scales(model, contexts);
    apply(model, &scales);
    scales
}

/// Returns the scale of every level, which is the value of 127 units, or no scales for a bounded activation.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn scales(model: &FoldedModel, contexts: &Tensor) -> Vec<f64> {
    if is_bounded(model.architecture.activation) {
        return Vec::new();
    }
    level_outputs(model, contexts).iter().map(best_clip).collect()
}

/// Returns whether a scale is so far from 1 that integers would lose accuracy.
pub fn are_far(scales: &[f64]) -> bool {
    scales.iter().any(|&scale| !(1.0 / FAR..=FAR).contains(&scale))
}

/// Divides the outputs of every level by its scale.
pub fn apply(model: &mut FoldedModel, scales: &[f64]) {
    let times = |value: f32, factor: f64| (f64::from(value) * factor) as f32;
    let mut below = 1.0;
    for (level, &scale) in model.levels.iter_mut().zip(scales) {
        level.weight.mapv_inplace(|weight| times(weight, below / scale));
        level.bias.mapv_inplace(|bias| times(bias, 1.0 / scale));
        if let Some(step) = &mut level.int4_step {
            step.mapv_inplace(|step| times(step, below / scale));
        }
        below = scale;
    }
    // The output layer reads the last level, or with skip connections all levels, side by side.
    let FoldedLinear { weight, .. } = &mut model.output;
    let widths = model.architecture.levels.iter().map(|level| usize::from(level.width));
    let read: Vec<_> = widths.zip(scales.iter().copied()).collect();
    let read = if model.architecture.skip { &read[..] } else { &read[read.len().saturating_sub(1)..] };
    let factors = read.iter().flat_map(|&(width, scale)| std::iter::repeat_n(scale, width));
    for (mut column, factor) in weight.columns_mut().into_iter().zip(factors) {
        column.mapv_inplace(|weight| times(weight, factor));
    }
}

/// Returns the best value of 127 units: the one with the smallest mean square error when values are rounded to units
/// and larger values are clipped.
fn best_clip(outputs: &Tensor) -> f64 {
    let largest = outputs.abs().max().double_value(&[]);
    if largest <= 0.0 || !largest.is_finite() {
        return 1.0;
    }
    let values = outputs.reshape([-1]);
    let every = values.size()[0] / SAMPLES + 1;
    let values = values.slice(0, 0, None, every).to_kind(Kind::Float);
    let loss = |clip: f64| {
        let rounded = (&values / clip).clamp(-1.0, 1.0).g_mul_scalar(127.0).round() * (clip / 127.0);
        (rounded - &values).square().mean(Kind::Double).double_value(&[])
    };
    let clips = (0..TRIES).map(|at| largest * (1.0 - f64::from(at) / f64::from(TRIES)));
    let best = clips.map(|clip| (loss(clip), clip)).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(largest, |(_, clip)| clip)
}
