//! From a folded network to integers, as `runtime`'s QUANTIZATION.md defines them.
//!
//! Every row has a scale of its own. What a row computes is `multiplier * (bias + sum w x)`, so the scale goes into the
//! multiplier.

use ndarray::{Array1, Array2};
use runtime::Activation;
use runtime::format::{Precision, WeightFormat};
use runtime::quant::{ACC_LIMIT, ACTIVATION_MAX, LOGIT_FRACTION_BITS, MULTIPLIER_FRACTION_BITS};
use runtime::write::IntegerLayer;

use crate::model::activation::pre_activation_units;
use crate::model::file::{FoldedLinear, FoldedModel};

/// Largest magnitude of an 8-bit weight.
pub const INT8_MAX: f64 = 127.0;
/// Largest magnitude of a 4-bit weight.
pub const INT4_MAX: f64 = 7.0;
/// What an activation of 1 counts in the sums.
const ACTIVATION_SCALE: f64 = 1.0 / ACTIVATION_MAX as f64;

/// A network in integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantizedModel {
    /// The number format as a whole.
    pub precision: Precision,
    /// `[vocab_size][n_embd]`; empty where level 0 is a table.
    pub embedding: Vec<i8>,
    /// One per level, and the output layer.
    pub layers: Vec<IntegerLayer>,
}

/// Real rows that are to become integers: `weight` `[fan_out, fan_in]` on inputs of `input_scale` per unit.
#[derive(Clone, Debug)]
pub struct RealLayer {
    /// The matrix, in f64: scales are computed from it.
    pub weight: Array2<f64>,
    /// The bias.
    pub bias: Array1<f64>,
    /// What one unit of input stands for.
    pub input_scale: f64,
    /// Units of output per 1: those of a pre-activation, or 1024 for a logit.
    pub output_units: f64,
    /// Largest magnitude of an input, in units.
    pub input_max: f64,
}

impl RealLayer {
    /// A level whose inputs are activations.
    pub fn level(linear: &FoldedLinear, activation: Activation) -> Self {
        Self::inner(linear, pre_activation_units(activation))
    }

    /// The output layer.
    pub fn output(linear: &FoldedLinear) -> Self {
        Self::inner(linear, f64::from(1_u32 << LOGIT_FRACTION_BITS))
    }

    fn inner(linear: &FoldedLinear, output_units: f64) -> Self {
        Self {
            weight: linear.weight.mapv(f64::from),
            bias: linear.bias.mapv(f64::from),
            input_scale: ACTIVATION_SCALE,
            output_units,
            input_max: f64::from(ACTIVATION_MAX),
        }
    }

    /// The scale of a row with weights of up to `weight_max`: as fine as it can be while bias and sum stay in range.
    pub fn row_scale(&self, row: usize, weight_max: f64) -> f64 {
        let weights = self.weight.row(row);
        let largest = weights.iter().fold(0.0_f64, |largest, weight| largest.max(weight.abs()));
        // Sum and bias together in units of scale * input_scale; an eighth is left for what rounding adds.
        let sum: f64 = weights.iter().map(|weight| weight.abs()).sum::<f64>() * self.input_max;
        let reach = sum + self.bias[row].abs() / self.input_scale;
        let from_limit = reach / (f64::from(ACC_LIMIT) * 0.875);
        // A row of zeros still needs a scale; its multiplier may round to zero.
        (largest / weight_max).max(from_limit).max(1e-9)
    }

    /// Bias and multiplier of a row with that scale.
    pub fn bias_and_multiplier(&self, row: usize, scale: f64) -> (i32, i32) {
        let unit = scale * self.input_scale;
        let multiplier = unit * self.output_units * f64::from(1_u32 << MULTIPLIER_FRACTION_BITS);
        ((self.bias[row] / unit).round() as i32, multiplier.round().min(f64::from(i32::MAX)) as i32)
    }
}

/// Every weight to the nearest multiple of its row's scale, in 8 bits.
pub fn round_to_nearest(real: &RealLayer) -> IntegerLayer {
    round_to_steps(real, WeightFormat::Int8, INT8_MAX, |row| real.row_scale(row, INT8_MAX))
}

/// Every weight to the nearest multiple of `step(row)`, at most `weight_max` of them.
pub fn round_to_steps(
    real: &RealLayer,
    format: WeightFormat,
    weight_max: f64,
    step: impl Fn(usize) -> f64,
) -> IntegerLayer {
    let mut layer = IntegerLayer { format, bias: Vec::new(), multiplier: Vec::new(), weights: Vec::new() };
    for (row, weights) in real.weight.rows().into_iter().enumerate() {
        let step = step(row);
        let (bias, multiplier) = real.bias_and_multiplier(row, step);
        layer.bias.push(bias);
        layer.multiplier.push(multiplier);
        layer.weights.extend(weights.iter().map(|weight| nearest(weight / step, weight_max)));
    }
    layer
}

/// The nearest integer of at most that magnitude.
pub fn nearest(value: f64, max: f64) -> i8 {
    value.round().clamp(-max, max) as i8
}

/// The step that loses least when `weights` are rounded to multiples of it, each error weighed by how much its input moves.
///
/// Steps from half to all of what the largest weight would need are tried: cutting off a rare large weight can pay.
pub fn best_step(weights: &Array1<f64>, importance: &Array1<f64>, weight_max: f64) -> f64 {
    const TRIES: usize = 50;
    let largest = weights.iter().fold(1e-9_f64, |largest, weight| largest.max(weight.abs()));
    let loss = |step: f64| -> f64 {
        weights
            .iter()
            .zip(importance)
            .map(|(&weight, &importance)| {
                let error = weight - f64::from(nearest(weight / step, weight_max)) * step;
                error * error * importance
            })
            .sum()
    };
    let candidates = (0..=TRIES).map(|at| largest / weight_max * (1.0 - 0.5 * at as f64 / TRIES as f64));
    let best = candidates.map(|step| (loss(step), step)).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(largest / weight_max, |(_, step)| step)
}

/// Level 0 and what it reads: a table of pre-activations where that is about as small, else embedding and rows.
pub fn quantize_input(model: &FoldedModel) -> (Vec<i8>, IntegerLayer) {
    let fuse = usize::from(model.architecture.levels[0].fuse);
    let (vocab_size, n_embd) = model.embedding.dim();
    if table_pays(fuse, model.levels[0].bias.len(), vocab_size, n_embd) {
        return (Vec::new(), quantize_table(model, fuse));
    }
    let largest = model.embedding.iter().fold(0.0_f64, |largest, &value| largest.max(f64::from(value).abs()));
    let scale = (largest / INT8_MAX).max(1e-9);
    let embedding = model.embedding.iter().map(|&value| nearest(f64::from(value) / scale, INT8_MAX)).collect();
    let real = RealLayer { input_scale: scale, ..RealLayer::level(&model.levels[0], model.architecture.activation) };
    (embedding, round_to_nearest(&real))
}

/// Whether level 0 becomes a table: it saves the multiplications, so it may take an eighth more bytes than what it replaces.
/// `rows` are those of the level's matrix.
pub fn table_pays(fuse: usize, rows: usize, vocab_size: usize, n_embd: usize) -> bool {
    let replaced = vocab_size * n_embd + fuse * n_embd * rows;
    fuse * vocab_size * rows <= replaced + replaced / 8
}

/// `table[p][c][row] = sum_i W[row][p * n_embd + i] * embedding[c][i]`, rounded with a scale per row.
fn quantize_table(model: &FoldedModel, fuse: usize) -> IntegerLayer {
    let linear = &model.levels[0];
    let (vocab_size, n_embd) = model.embedding.dim();
    let weight = linear.weight.mapv(f64::from);
    let embedding = model.embedding.mapv(f64::from);
    // As a layer whose inputs are one character per position, each 0 or 1: rows of fuse * vocab_size "weights".
    let mut rows = Array2::zeros((weight.nrows(), fuse * vocab_size));
    for position in 0..fuse {
        let part = weight.slice(ndarray::s![.., position * n_embd..(position + 1) * n_embd]);
        rows.slice_mut(ndarray::s![.., position * vocab_size..(position + 1) * vocab_size])
            .assign(&part.dot(&embedding.t()));
    }
    let real = RealLayer {
        weight: rows,
        bias: linear.bias.mapv(f64::from),
        input_scale: 1.0,
        output_units: pre_activation_units(model.architecture.activation),
        input_max: 1.0,
    };
    let layer = round_to_nearest(&real);
    // From rows to `[fuse][vocab_size][fan_out]`: a character's entries for all rows lie side by side.
    let (fan_out, columns) = real.weight.dim();
    let weights = (0..columns)
        .flat_map(|column| (0..fan_out).map(move |row| (row, column)))
        .map(|(row, column)| layer.weights[row * columns + column])
        .collect();
    IntegerLayer { format: WeightFormat::Table, weights, ..layer }
}

/// 8 bits throughout, every weight to nearest.
///
/// An unbounded activation loses less in [`crate::model::gptq::compensate_int8`].
pub fn quantize_int8(model: &FoldedModel) -> QuantizedModel {
    let (embedding, first) = quantize_input(model);
    let mut layers = vec![first];
    let level = |level| round_to_nearest(&RealLayer::level(level, model.architecture.activation));
    layers.extend(model.levels.iter().skip(1).map(level));
    layers.push(round_to_nearest(&RealLayer::output(&model.output)));
    QuantizedModel { precision: Precision::Int8, embedding, layers }
}
