//! Error-compensated rounding, calibrated on training words: of four-bit weights, and of eight-bit weights where the
//! activation is unbounded.
//!
//! Weights are rounded column by column; what a column loses is made good by the columns still to come, as far as the inputs
//! move together (Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022).
//! Layers are taken from the characters up, each calibrated on what the quantized layers below really give it, so that
//! it also makes good what those have lost; at last the bias takes up the mean error.

use ndarray::{Array1, Array2, Axis, s};
use runtime::format::{Precision, WeightFormat};
use runtime::quant::{ACTIVATION_MAX, MULTIPLIER_FRACTION_BITS};
use runtime::write::IntegerLayer;
use tch::{Device, Kind, Tensor};

use crate::data::Examples;
use crate::model::arrays::{from_matrix, to_matrix};
use crate::model::file::FoldedModel;
use crate::model::forward::forward_units;
use crate::model::quantize::{
    INT4_MAX, INT8_MAX, QuantizedModel, RealLayer, best_step, nearest, quantize_input, round_to_nearest, round_to_steps,
};
use crate::model::tensors::{self, embedding_rows, level_outputs, output_input};

/// Contexts to calibrate on: enough for the statistics of 256 inputs, little enough for a moment.
const CALIBRATION_CONTEXTS: usize = 20_000;
/// Share of the mean of the Hessian's diagonal that is added to it: inputs that never move must not get infinite trust.
const DAMPING: f64 = 0.01;

/// How the layers are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Each weight to its nearest step.
    Nearest,
    /// Error-compensated.
    Compensated,
}

/// What four bits are made with.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest magnitude of a weight of the inner levels: [`INT4_MAX`], or less for experiments.
    pub weight_max: f64,
    /// How weights are rounded.
    pub rounding: Rounding,
    /// Whether the output layer has 4 bits as well, instead of 8.
    pub int4_output: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { weight_max: INT4_MAX, rounding: Rounding::Compensated, int4_output: false }
    }
}

/// 8 bits for level 0 (if it is a table) and the output layer, 4 bits for the levels between.
///
/// `contexts` `[N, block_size]` (i64) are what the rounding is calibrated on: the same ones give the same integers.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn quantize_int4(model: &FoldedModel, contexts: &Tensor, options: Options) -> QuantizedModel {
    let (embedding, first) = quantize_input(model);
    let mut layers = vec![first];
    let reference = level_outputs(model, contexts);
    for (index, level) in model.levels.iter().enumerate().skip(1) {
        if let Some(steps) = &level.int4_step {
            let real = RealLayer::level(level, model.architecture.activation);
            let step = |row| f64::from(steps[row]).max(real.row_scale(row, f64::INFINITY));
            layers.push(round_to_steps(&real, WeightFormat::Int4, INT4_MAX, step));
            continue;
        }
        let inputs = Inputs::new(model, &reference, &layers, index, contexts);
        let real = RealLayer::level(level, model.architecture.activation);
        layers.push(quantize_layer(&real, &inputs, options.weight_max, options.rounding));
    }
    let last = RealLayer::output(&model.output);
    let finetuned = model.levels.iter().any(|level| level.int4_step.is_some());
    // A finetuned network has learned with its output layer in plain 8 bits.
    let plain = finetuned || options.rounding == Rounding::Nearest;
    layers.push(if plain && !options.int4_output {
        round_to_nearest(&last)
    } else {
        let inputs = Inputs::new(model, &reference, &layers, model.levels.len(), contexts);
        let weight_max = if options.int4_output { INT4_MAX } else { INT8_MAX };
        quantize_layer(&last, &inputs, weight_max, options.rounding)
    });
    QuantizedModel { precision: Precision::Int4, embedding, layers }
}

/// Rounds a model to 8 bits, error-compensated from level 1 on.
///
/// For an unbounded activation: its outputs are cut off at 1, and what that loses is made good by the weights that read
/// them. Bounded activations lose nothing there; [`crate::model::quantize::quantize_int8`] rounds their weights to
/// nearest.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn compensate_int8(model: &FoldedModel, contexts: &Tensor, rounding: Rounding) -> QuantizedModel {
    let (embedding, first) = quantize_input(model);
    let mut layers = vec![first];
    let reference = level_outputs(model, contexts);
    for index in 1..=model.levels.len() {
        let real = match model.levels.get(index) {
            Some(level) => RealLayer::level(level, model.architecture.activation),
            None => RealLayer::output(&model.output),
        };
        let inputs = Inputs::new(model, &reference, &layers, index, contexts);
        layers.push(quantize_layer(&real, &inputs, INT8_MAX, rounding));
    }
    QuantizedModel { precision: Precision::Int8, embedding, layers }
}

/// Contexts `[N, block_size]` for calibration, evenly spread over the examples.
///
/// # Panics
/// If there are no examples.
pub fn calibration_contexts(examples: &Examples) -> Tensor {
    let (contexts, _) = tensors::of_examples(examples, Device::Cpu);
    let every = examples.len().div_ceil(CALIBRATION_CONTEXTS);
    let [count, every] = [examples.len(), every].map(|n| i64::try_from(n).expect("it fits the memory"));
    contexts.slice(0, 0, count, every)
}

/// What a layer is fed, per context and node: with nothing quantized, and with all layers below quantized. Units of 1.
struct Inputs {
    reference: Array2<f64>,
    quantized: Array2<f64>,
}

impl Inputs {
    fn new(
        model: &FoldedModel,
        reference: &[Tensor],
        layers: &[IntegerLayer],
        index: usize,
        contexts: &Tensor,
    ) -> Self {
        let gather = |levels: &[Tensor]| match model.architecture.levels.get(index) {
            Some(level) => {
                let fuse = i64::from(level.fuse);
                let (b, t, c) = levels[index - 1].size3().expect("(B, T, C)");
                to_matrix(&levels[index - 1].view([b * t / fuse, c * fuse]))
            }
            None => to_matrix(&output_input(levels, model.architecture.skip)),
        };
        Self { reference: gather(reference), quantized: gather(&quantized_activations(model, layers, contexts)) }
    }
}

fn quantize_layer(real: &RealLayer, inputs: &Inputs, weight_max: f64, rounding: Rounding) -> IntegerLayer {
    let (fan_out, fan_in) = real.weight.dim();
    let samples = inputs.quantized.nrows() as f64;
    let mut hessian = inputs.quantized.t().dot(&inputs.quantized) / samples;
    let damping = DAMPING * hessian.diag().mean().unwrap_or(1.0).max(1e-9);
    hessian.diag_mut().mapv_inplace(|value| value + damping);
    let factor = inverse_cholesky(&hessian);

    let original = &real.weight;
    let mut target = original.clone();
    if rounding == Rounding::Compensated {
        // The weights that, fed the quantized inputs, come closest to what the real ones make of the real inputs:
        // W + W (X - Xq)^T Xq H^-1.
        let lost = (&inputs.reference - &inputs.quantized).t().dot(&inputs.quantized) / samples;
        let inverse = factor.t().dot(&factor);
        target = original + &original.dot(&lost).dot(&inverse);
    }
    let real = &RealLayer { weight: target.clone(), ..real.clone() };

    let format = if weight_max > INT4_MAX { WeightFormat::Int8 } else { WeightFormat::Int4 };
    let mut layer =
        IntegerLayer { format, bias: Vec::new(), multiplier: Vec::new(), weights: vec![0; fan_out * fan_in] };
    // The step of every row, before anything is rounded.
    let importance = hessian.diag().to_owned();
    let rows = real.weight.rows().into_iter().enumerate();
    let steps: Vec<f64> = rows
        .map(|(row, weights)| {
            let floor = real.row_scale(row, f64::INFINITY);
            best_step(&weights.to_owned(), &importance, weight_max).max(floor)
        })
        .collect();

    // Column by column, all rows at once.
    let mut rest = target;
    let mut rounded = Array2::<f64>::zeros((fan_out, fan_in));
    for column in 0..fan_in {
        let mut error = Array1::zeros(fan_out);
        for row in 0..fan_out {
            let weight = nearest(rest[[row, column]] / steps[row], weight_max);
            layer.weights[row * fan_in + column] = weight;
            rounded[[row, column]] = f64::from(weight) * steps[row];
            error[row] = (rest[[row, column]] - rounded[[row, column]]) / factor[[column, column]];
        }
        if rounding == Rounding::Compensated {
            let share = factor.slice(s![column, column + 1..]).to_owned();
            let mut rest = rest.slice_mut(s![.., column + 1..]);
            rest -= &error.insert_axis(Axis(1)).dot(&share.insert_axis(Axis(0)));
        }
    }

    // The mean of what is still missing goes into the bias.
    let mean = |x: &Array2<f64>| x.mean_axis(Axis(0)).expect("there are samples");
    let missing = original.dot(&mean(&inputs.reference)) - rounded.dot(&mean(&inputs.quantized));
    let bias = if rounding == Rounding::Compensated { &real.bias + &missing } else { real.bias.clone() };
    let corrected = RealLayer { bias, ..real.clone() };
    for (row, &step) in steps.iter().enumerate() {
        let (bias, multiplier) = corrected.bias_and_multiplier(row, step);
        layer.bias.push(bias);
        layer.multiplier.push(multiplier);
    }
    layer
}

/// `U` with `U^T U = H^-1`, upper triangular.
fn inverse_cholesky(hessian: &Array2<f64>) -> Array2<f64> {
    let tensor = from_matrix(hessian);
    let inverse = tensor.linalg_cholesky(false).cholesky_inverse(false);
    to_matrix(&inverse.linalg_cholesky(true))
}

/// The output of each of `layers` with all of them quantized, (B, T, C) each: integers, as activations in units of 1.
///
/// For calibration alone. It follows `runtime`'s definition up to the rounding of ties; what is reported is always computed by
/// the runtime itself.
fn quantized_activations(model: &FoldedModel, layers: &[IntegerLayer], contexts: &Tensor) -> Vec<Tensor> {
    let activation = f64::from(ACTIVATION_MAX);
    let mut x = contexts.shallow_clone();
    let mut levels = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let fuse = i64::from(model.architecture.levels[index].fuse);
        let fan_out = i64::try_from(layer.bias.len()).expect("a dimension");
        let bias = Tensor::from_slice(&layer.bias).to_kind(Kind::Double);
        let weights = Tensor::from_slice(&layer.weights).to_kind(Kind::Double);
        let acc = if layer.format.reads_tokens() {
            let table = weights.view([fuse, -1, fan_out]);
            let (b, t) = contexts.size2().expect("(B, T)");
            let tokens = contexts.view([b, t / fuse, fuse]);
            let part = |position: i64| embedding_rows(&table.get(position), &tokens.select(2, position));
            (1..fuse).fold(part(0), |sum, position| sum + part(position)) + bias
        } else {
            if index == 0 {
                // The exporter's own rounding of the embedding; see `quantize_input`.
                let (embedding, _) = quantize_input(model);
                let table = Tensor::from_slice(&embedding).to_kind(Kind::Double);
                let n_embd = i64::try_from(model.architecture.n_embd).expect("a dimension");
                x = embedding_rows(&table.view([-1, n_embd]), contexts);
            } else {
                // Not in place: it was given out.
                x = &x * activation;
            }
            let (b, t, c) = x.size3().expect("(B, T, C)");
            x.view([b, t / fuse, c * fuse]).matmul(&weights.view([fan_out, -1]).tr()) + bias
        };
        let multiplier = Tensor::from_slice(&layer.multiplier).to_kind(Kind::Double);
        let pre_activation = (acc * multiplier / f64::from(1_u32 << MULTIPLIER_FRACTION_BITS)).round();
        x = forward_units(model.architecture.activation, &pre_activation, Tensor::round) / activation;
        levels.push(x.shallow_clone());
    }
    levels
}
