//! The network with every rounding of the integer path in its forward pass.

use ndarray::{Array1, Array2};
use runtime::Activation;
use runtime::quant::{ACTIVATION_MAX, MULTIPLIER_FRACTION_BITS};
use tch::Tensor;
use tch::nn::Path;

use super::Dev;
use crate::model::activation::pre_activation_units;
use crate::model::arrays::{from_matrix, from_vector, to_matrix, to_vector};
use crate::model::file::{FoldedLinear, FoldedModel};
use crate::model::forward::forward_units;
use crate::model::loss::{mean_divergence, mean_nll};
use runtime::write::IntegerLayer;

use crate::model::quantize::{INT8_MAX, QuantizedModel, has_table};
use crate::model::tensors::output_input;
use crate::model::torch_model::TorchModel;

/// Inner layer in real numbers.
struct Dequantized {
    weights: Vec<f32>,
    bias: Vec<f32>,
    steps: Vec<f32>,
}

fn dequantize(layer: &IntegerLayer, activation: Activation) -> Dequantized {
    let units = pre_activation_units(activation) * f64::from(1_u32 << MULTIPLIER_FRACTION_BITS);
    let activation = f64::from(ACTIVATION_MAX);
    let fan_in = layer.weights.len() / layer.bias.len();
    let steps: Vec<f64> =
        layer.multiplier.iter().map(|&multiplier| f64::from(multiplier.max(1)) / units * activation).collect();
    let rows = layer.weights.chunks(fan_in).zip(&steps);
    let weights = rows.flat_map(|(row, &step)| row.iter().map(move |&weight| (f64::from(weight) * step) as f32));
    let bias = layer.bias.iter().zip(&steps).map(|(&bias, &step)| (f64::from(bias) * step / activation) as f32);
    Dequantized {
        weights: weights.collect(),
        bias: bias.collect(),
        steps: steps.iter().map(|&step| step as f32).collect(),
    }
}

/// Network with every rounding of the integer path in its forward pass.
pub(super) struct FakeQuantized {
    embedding: Tensor,
    levels: Vec<FakeLevel>,
    activation: Activation,
    skip: bool,
    output: (Tensor, Tensor),
    /// Largest magnitude of an inner weight.
    weight_max: f64,
    table: bool,
}

struct FakeLevel {
    fuse: i64,
    weight: Tensor,
    bias: Tensor,
    /// Logarithm of each row's step: the step stays positive. `None` for level 0.
    log_step: Option<Tensor>,
}

impl FakeQuantized {
    pub(super) fn new(path: &Path<'_>, model: &FoldedModel, rounded: &QuantizedModel, weight_max: f64) -> Self {
        let matrix = |name: &str, array: &Array2<f32>| path.var_copy(name, &from_matrix(array));
        let vector = |name: &str, array: &Array1<f32>| path.var_copy(name, &from_vector(array));
        let levels = model.architecture.levels.iter().zip(&model.levels).enumerate();
        let levels = levels.map(|(index, (level, linear))| {
            let name = |what: &str| format!("level{index}_{what}");
            let (fuse, fan_in) = (i64::from(level.fuse), linear.weight.ncols());
            if index == 0 {
                let (weight, bias) = (matrix(&name("weight"), &linear.weight), vector(&name("bias"), &linear.bias));
                return FakeLevel { fuse, weight, bias, log_step: None };
            }
            let real = dequantize(&rounded.layers[index], model.architecture.activation);
            let weight = Array2::from_shape_vec((real.steps.len(), fan_in), real.weights).expect("its shape");
            FakeLevel {
                fuse,
                weight: matrix(&name("weight"), &weight),
                bias: vector(&name("bias"), &Array1::from(real.bias)),
                log_step: Some(vector(&name("log_step"), &real.steps.iter().map(|step| step.ln()).collect())),
            }
        });
        Self {
            levels: levels.collect(),
            activation: model.architecture.activation,
            skip: model.architecture.skip,
            embedding: matrix("embedding", &model.embedding),
            output: (matrix("output_weight", &model.output.weight), vector("output_bias", &model.output.bias)),
            weight_max,
            table: has_table(model),
        }
    }

    /// Returns the logits `[B, vocab_size]` of contexts `[B, block_size]`.
    pub(super) fn forward(&self, contexts: &Tensor) -> Tensor {
        let activation = f64::from(ACTIVATION_MAX);
        let units = pre_activation_units(self.activation);
        let activate = |pre_activation: Tensor| {
            forward_units(self.activation, &round(&(pre_activation * units)), round) / activation
        };
        let (b, t) = contexts.size2().expect("(B, T)");
        let mut x = contexts.shallow_clone();
        let mut levels = Vec::new();
        for level in &self.levels {
            let pre_activation = match &level.log_step {
                None if self.table => {
                    let (vocab_size, n_embd) = self.embedding.size2().expect("a matrix");
                    let rows = level.weight.size()[0];
                    // Same as `quantize_table`:
                    // (fan_out, fuse, n_embd) x (vocab_size, n_embd) -> (fan_out, fuse * vocab_size).
                    let table = level.weight.view([rows * level.fuse, n_embd]).matmul(&self.embedding.tr());
                    let table = to_8_bits(&table.view([rows, level.fuse * vocab_size]));
                    let table = table.tr().view([level.fuse, vocab_size, rows]);
                    let tokens = contexts.view([b, t / level.fuse, level.fuse]);
                    let part = |position: i64| {
                        Tensor::embedding(&table.get(position), &tokens.select(2, position), -1, false, false)
                    };
                    (1..level.fuse).fold(part(0), |sum, position| sum + part(position)) + &level.bias
                }
                None => {
                    let largest = self.embedding.abs().max().detach();
                    let table = to_steps(&self.embedding, &(largest / INT8_MAX), INT8_MAX);
                    let x = Tensor::embedding(&table, contexts, -1, false, false);
                    flatten(&x, level.fuse).linear(&to_8_bits(&level.weight), Some(&level.bias))
                }
                Some(log_step) => {
                    let weight = to_steps(&level.weight, &log_step.exp().unsqueeze(1), self.weight_max);
                    flatten(&x, level.fuse).linear(&weight, Some(&level.bias))
                }
            };
            x = activate(pre_activation);
            levels.push(x.shallow_clone());
        }
        output_input(&levels, self.skip).linear(&to_8_bits(&self.output.0), Some(&self.output.1))
    }

    /// Returns the mean loss and the mean divergence from the teacher on contexts and targets.
    pub(super) fn evaluate(&self, teacher: &TorchModel, (contexts, targets): &(Tensor, Tensor)) -> Dev {
        Dev {
            nll: mean_nll(|x| self.forward(x), contexts, targets),
            kl: mean_divergence(|x| teacher.forward(x), |x| self.forward(x), contexts),
        }
    }

    /// Returns the model with the learned weights. The weights of the inner levels are multiples of their steps.
    pub(super) fn fold(&self, model: &FoldedModel) -> FoldedModel {
        let mut model = model.clone();
        model.embedding = to_matrix(&self.embedding);
        for (linear, level) in model.levels.iter_mut().zip(&self.levels) {
            *linear = FoldedLinear { weight: to_matrix(&level.weight), bias: to_vector(&level.bias), int4_step: None };
            if let Some(log_step) = &level.log_step {
                let step = log_step.exp();
                linear.weight = to_matrix(&to_steps(&level.weight, &step.unsqueeze(1), self.weight_max));
                linear.int4_step = Some(to_vector(&step));
            }
        }
        model.output =
            FoldedLinear { weight: to_matrix(&self.output.0), bias: to_vector(&self.output.1), int4_step: None };
        (model.origin.train_nll, model.origin.dev_nll, model.origin.test_nll) = (None, None, None);
        model
    }
}

fn flatten(x: &Tensor, fuse: i64) -> Tensor {
    let (b, t, c) = x.size3().expect("(B, T, C)");
    x.view([b, t / fuse, c * fuse])
}

/// Rounds values. Gradients pass unchanged (straight-through).
fn round(x: &Tensor) -> Tensor {
    x + (x.round() - x).detach()
}

/// Rounds weights to multiples of `step`, at most `max` steps. Gradients reach weights and steps.
fn to_steps(weight: &Tensor, step: &Tensor, max: f64) -> Tensor {
    round(&(weight / step).clamp(-max, max)) * step
}

/// Rounds each row to 8 bits: the largest magnitude of a row becomes 127 steps.
fn to_8_bits(weight: &Tensor) -> Tensor {
    let largest = weight.abs().amax([1], true).clamp_min(1e-9).detach();
    to_steps(weight, &(largest / INT8_MAX), INT8_MAX)
}
