//! Error-compensated rounding of weights, calibrated on words of the model.
//!
//! Other weights of a row compensate the rounding error of a weight, as far as their inputs are correlated (Frantar et
//! al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022). The descent after
//! GPTQ is from Behdin et al., "QuantEase", 2023.
//!
//! Layers are rounded from the characters up. Each layer is calibrated on the outputs of the rounded layers below, so
//! that it also compensates their errors. The bias compensates the mean error.

mod inputs;
mod row;

use ndarray::{Array1, Array2};
use runtime::format::Precision;
use runtime::write::IntegerLayer;
use tch::{Device, Tensor};

use crate::data::Examples;
use crate::model::arrays::{from_matrix, to_matrix};
use crate::model::file::{FoldedLinear, FoldedModel};
use crate::model::quantize::{
    INT4_MAX, INT8_MAX, InputLayer, QuantizedModel, Range, RealLayer, format, has_table, round_to_nearest,
    round_to_steps,
};
use crate::model::tensors::{self, level_outputs};

use inputs::Inputs;
use row::{Rounded, Rows};

/// Most contexts for calibration: enough for the statistics of 256 inputs, few enough to be evaluated in a moment.
const CALIBRATION_CONTEXTS: i64 = 20_000;
/// Share of the Hessian's mean diagonal that is added to its diagonal: without it, inputs that hardly
/// change or are always zero would make the Hessian singular or nearly so.
const DAMPING: f64 = 0.01;

/// Most inputs of a layer: a Hessian of this size takes 0.5 GB, and a few such matrices are needed at once.
pub const MAX_FAN_IN: usize = 8_192;

/// Returns the largest number of inputs of a layer; a table has an input for each position and token.
pub fn largest_fan_in(model: &FoldedModel) -> Option<usize> {
    let columns = |layer: &FoldedLinear| layer.weight.ncols();
    let first = match has_table(model) {
        true => usize::from(model.architecture.levels[0].fuse) * model.vocab_size(),
        false => columns(&model.levels[0]),
    };
    model.levels[1..].iter().chain([&model.output]).map(columns).chain([first]).max()
}

/// Rounds a model with error compensation: levels above level 0 and the output layer to `range`, level 0 to 8 bits.
///
/// The rounding is calibrated on `contexts` `[N, block_size]` (i64); the same contexts lead to the same integers. In 4
/// bits, a level that was fine-tuned for 4 bits keeps its steps. Level 0 and the output layer of a fine-tuned network
/// are rounded to nearest, as in the fine-tuning.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn quantize(model: &FoldedModel, contexts: &Tensor, range: Range) -> QuantizedModel {
    let activation = model.architecture.activation;
    let finetuned = range.precision() == Precision::Int4 && model.is_finetuned();
    let input = InputLayer::new(model);
    let first = if finetuned {
        round_to_nearest(&input.real, INT8_MAX)
    } else {
        compensate(&input.real, &Inputs::of_level_0(model, &input, contexts), INT8_MAX)
    };
    let mut layers = vec![input.stored(first)];
    let reference = level_outputs(model, contexts);
    for level in &model.levels[1..] {
        let real = RealLayer::level(level, activation);
        layers.push(match &level.int4_step {
            Some(steps) if finetuned => round_to_steps(&real, INT4_MAX, steps),
            _ => compensate(&real, &Inputs::activations(model, &reference, &layers, contexts), range.levels),
        });
    }
    let output = RealLayer::output(&model.output);
    layers.push(if finetuned && range.output == INT8_MAX {
        round_to_nearest(&output, INT8_MAX)
    } else {
        compensate(&output, &Inputs::activations(model, &reference, &layers, contexts), range.output)
    });
    QuantizedModel { precision: range.precision(), embedding: input.embedding, layers, lost: None }
}

/// Returns contexts `[N, block_size]` for calibration, evenly spread over the examples.
///
/// # Panics
/// If there are no examples.
pub fn calibration_contexts(examples: &Examples) -> Tensor {
    evenly_spread(&tensors::of_examples(examples, Device::Cpu).0)
}

/// Returns those of all contexts `[all, block_size]` on which a model is calibrated, `[N, block_size]`.
///
/// # Panics
/// If there are no contexts.
pub fn evenly_spread(contexts: &Tensor) -> Tensor {
    let count = contexts.size()[0];
    contexts.slice(0, 0, count, (count - 1) / CALIBRATION_CONTEXTS + 1)
}

/// Rounds the rows of a layer to integers of at most `weight_max`, with the smallest loss on `inputs`.
fn compensate(real: &RealLayer, inputs: &Inputs, weight_max: f64) -> IntegerLayer {
    let mut hessian = inputs.hessian.clone();
    let damping = DAMPING * hessian.diag().mean().unwrap_or(1.0).max(1e-9);
    hessian.diag_mut().mapv_inplace(|value| value + damping);
    let factor = inverse_cholesky(&hessian);
    // With quantized inputs, these weights come closest to the products of the real weights and inputs:
    // W + W (X - Xq)^T Xq H^-1.
    let inverse = factor.t().dot(&factor);
    let weight = &real.weight + &real.weight.dot(&inputs.lost).dot(&inverse);
    let target = RealLayer { weight, ..real.clone() };

    let rows = Rows { hessian: &hessian, factor: &factor, weight_max };
    let mut layer = IntegerLayer { format: format(weight_max), bias: vec![], multiplier: vec![], weights: vec![] };
    for (row, weights) in target.weight.rows().into_iter().enumerate() {
        let Rounded { weights, step } = rows.round(weights, target.row_scale(row, f64::INFINITY));
        // The bias compensates the mean of the remaining error.
        let rounded: Array1<f64> = weights.iter().map(|&weight| f64::from(weight) * step).collect();
        let missing = real.weight.row(row).dot(&inputs.mean) - rounded.dot(&inputs.mean_quantized);
        let (bias, multiplier) = real.bias_and_multiplier(real.bias[row] + missing, step);
        layer.bias.push(bias);
        layer.multiplier.push(multiplier);
        layer.weights.extend(weights);
    }
    layer
}

/// Returns the upper triangular matrix `U` with `U^T U = H^-1`.
fn inverse_cholesky(hessian: &Array2<f64>) -> Array2<f64> {
    let tensor = from_matrix(hessian);
    let inverse = tensor.linalg_cholesky(false).cholesky_inverse(false);
    to_matrix(&inverse.linalg_cholesky(true))
}
