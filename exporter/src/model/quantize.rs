//! Rounds a folded network to integers, as `runtime`'s QUANTIZATION.md defines them.
//!
//! Every row has its own scale. A row computes `multiplier * (bias + sum w x)`, and the multiplier includes the scale.

use ndarray::{Array1, Array2};
use runtime::Activation;
use runtime::format::{Precision, WeightFormat};
use runtime::quant::{ACC_LIMIT, ACTIVATION_MAX, LOGIT_FRACTION_BITS, MULTIPLIER_FRACTION_BITS};
use runtime::write::IntegerLayer;

use crate::model::activation::pre_activation_units;
use crate::model::file::{FoldedLinear, FoldedModel};
use crate::model::lost::Lost;

/// Largest magnitude of an 8-bit weight.
pub const INT8_MAX: f64 = 127.0;
/// Largest magnitude of a 4-bit weight.
pub const INT4_MAX: f64 = 7.0;
/// Value of one unit of an activation.
const ACTIVATION_SCALE: f64 = 1.0 / ACTIVATION_MAX as f64;

/// Largest magnitudes of the integers of a network. Level 0 always has 8 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Largest magnitude in the levels above level 0.
    pub levels: f64,
    /// Largest magnitude in the output layer.
    pub output: f64,
}

impl Range {
    /// 8 bits throughout.
    pub const INT8: Self = Self { levels: INT8_MAX, output: INT8_MAX };
    /// 4 bits for the levels above level 0.
    pub const INT4: Self = Self { levels: INT4_MAX, output: INT8_MAX };
    /// 4 bits for the output layer as well.
    pub const INT4_OUTPUT: Self = Self { levels: INT4_MAX, output: INT4_MAX };

    /// Returns the precision of a model with such integers.
    pub fn precision(self) -> Precision {
        if self.levels > INT4_MAX { Precision::Int8 } else { Precision::Int4 }
    }
}

/// The network in integers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedModel {
    /// Precision of the model.
    pub precision: Precision,
    /// The embedding, `[vocab_size][n_embd]`; empty if level 0 is a table.
    pub embedding: Vec<i8>,
    /// The levels, then the output layer.
    pub layers: Vec<IntegerLayer>,
    /// Loss of the integers on the calibration words, if it was measured.
    pub lost: Option<Lost>,
}

/// Layer in real numbers, to be rounded: `weight` `[fan_out, fan_in]`, for inputs in units of `input_scale`.
#[derive(Clone, Debug)]
pub struct RealLayer {
    /// The matrix, in f64 because scales are computed from it.
    pub weight: Array2<f64>,
    /// The bias.
    pub bias: Array1<f64>,
    /// Value of one unit of input.
    pub input_scale: f64,
    /// Units of an output of 1: those of a pre-activation, or 1024 for a logit.
    pub output_units: f64,
    /// Largest magnitude of an input, in units.
    pub input_max: f64,
}

impl RealLayer {
    /// Returns a level whose inputs are activations.
    pub fn level(linear: &FoldedLinear, activation: Activation) -> Self {
        Self::inner(linear, pre_activation_units(activation))
    }

    /// Returns the output layer.
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

    /// Returns the scale of a row with integers of up to `weight_max`: the finest that keeps bias and sum in range.
    pub fn row_scale(&self, row: usize, weight_max: f64) -> f64 {
        let weights = self.weight.row(row);
        let largest = weights.iter().fold(0.0_f64, |largest, weight| largest.max(weight.abs()));
        // Largest magnitude of sum and bias, in units of scale * input_scale; an eighth is left for rounding.
        let sum: f64 = weights.iter().map(|weight| weight.abs()).sum::<f64>() * self.input_max;
        let reach = sum + self.bias[row].abs() / self.input_scale;
        let from_limit = reach / (f64::from(ACC_LIMIT) * 0.875);
        // A row of zeros needs a scale too; its multiplier may round to zero.
        (largest / weight_max).max(from_limit).max(1e-9)
    }

    /// Returns bias and multiplier of a row in integers.
    pub fn bias_and_multiplier(&self, bias: f64, scale: f64) -> (i32, i32) {
        let unit = scale * self.input_scale;
        let multiplier = unit * self.output_units * f64::from(1_u32 << MULTIPLIER_FRACTION_BITS);
        ((bias / unit).round() as i32, multiplier.round().min(f64::from(i32::MAX)) as i32)
    }
}

/// Returns the weight format for integers of up to `weight_max`.
pub fn format(weight_max: f64) -> WeightFormat {
    if weight_max > INT4_MAX { WeightFormat::Int8 } else { WeightFormat::Int4 }
}

/// Rounds every weight to an integer of at most `weight_max`, in units of its row's scale.
pub fn round_to_nearest(real: &RealLayer, weight_max: f64) -> IntegerLayer {
    round(real, weight_max, |row| real.row_scale(row, weight_max))
}

/// Rounds every weight to an integer of at most `weight_max`, in units of its row's step. A step that is too small for
/// the runtime's sums is raised.
pub fn round_to_steps(real: &RealLayer, weight_max: f64, steps: &Array1<f32>) -> IntegerLayer {
    round(real, weight_max, |row| f64::from(steps[row]).max(real.row_scale(row, f64::INFINITY)))
}

fn round(real: &RealLayer, weight_max: f64, step: impl Fn(usize) -> f64) -> IntegerLayer {
    let mut layer = IntegerLayer { format: format(weight_max), bias: vec![], multiplier: vec![], weights: vec![] };
    for (row, weights) in real.weight.rows().into_iter().enumerate() {
        let step = step(row);
        let (bias, multiplier) = real.bias_and_multiplier(real.bias[row], step);
        layer.bias.push(bias);
        layer.multiplier.push(multiplier);
        layer.weights.extend(weights.iter().map(|weight| nearest(weight / step, weight_max)));
    }
    layer
}

/// Returns the nearest integer with a magnitude of at most `max`.
pub fn nearest(value: f64, max: f64) -> i8 {
    value.round().clamp(-max, max) as i8
}

/// Level 0 and the embedding that it reads, before the weights are rounded.
///
/// The level becomes a table of pre-activations if [`table_pays`] returns true.
#[derive(Clone, Debug)]
pub struct InputLayer {
    /// The embedding, `[vocab_size][n_embd]`, in units of `real.input_scale`; empty if the level is a table.
    pub embedding: Vec<i8>,
    /// The rows of the level. The rows of a table have `fuse * vocab_size` columns, one for each position and token.
    pub real: RealLayer,
}

impl InputLayer {
    /// Returns level 0 of a model.
    pub fn new(model: &FoldedModel) -> Self {
        let fuse = usize::from(model.architecture.levels[0].fuse);
        if has_table(model) {
            return Self { embedding: Vec::new(), real: table(model, fuse) };
        }
        let largest = model.embedding.iter().fold(0.0_f64, |largest, &value| largest.max(f64::from(value).abs()));
        let scale = (largest / INT8_MAX).max(1e-9);
        let embedding = model.embedding.iter().map(|&value| nearest(f64::from(value) / scale, INT8_MAX)).collect();
        let level = RealLayer::level(&model.levels[0], model.architecture.activation);
        Self { embedding, real: RealLayer { input_scale: scale, ..level } }
    }

    /// Returns whether the level is a table.
    pub fn is_table(&self) -> bool {
        self.embedding.is_empty()
    }

    /// Returns the rounded rows in the order of a blob: a table as `[fuse][vocab_size][fan_out]`, so that a token's
    /// entries for all rows are side by side.
    pub fn stored(&self, layer: IntegerLayer) -> IntegerLayer {
        if !self.is_table() {
            return layer;
        }
        let (fan_out, columns) = self.real.weight.dim();
        let weights = (0..columns)
            .flat_map(|column| (0..fan_out).map(move |row| (row, column)))
            .map(|(row, column)| layer.weights[row * columns + column])
            .collect();
        IntegerLayer { format: WeightFormat::Table, weights, ..layer }
    }
}

/// Rounds level 0 and the embedding to nearest.
pub fn quantize_input(model: &FoldedModel) -> (Vec<i8>, IntegerLayer) {
    let input = InputLayer::new(model);
    let layer = input.stored(round_to_nearest(&input.real, INT8_MAX));
    (input.embedding, layer)
}

/// Returns whether level 0 of a model becomes a table.
pub fn has_table(model: &FoldedModel) -> bool {
    let (vocab_size, n_embd) = model.embedding.dim();
    table_pays(model.architecture.levels[0].fuse.into(), model.levels[0].bias.len(), vocab_size, n_embd)
}

/// Returns whether level 0 becomes a table. `rows` is the number of rows of the level's matrix.
///
/// A table saves the multiplications, so it may take an eighth more bytes than the embedding and matrix it replaces.
pub fn table_pays(fuse: usize, rows: usize, vocab_size: usize, n_embd: usize) -> bool {
    let replaced = vocab_size * n_embd + fuse * n_embd * rows;
    fuse * vocab_size * rows <= replaced + replaced / 8
}

/// Returns level 0 as a table: its inputs are 1 for the token at each position and 0 for all others.
///
/// The matrix `[fan_out, fuse * vocab_size]` is
/// `weight[row][p * vocab_size + c] = sum_i W[row][p * n_embd + i] * embedding[c][i]`.
fn table(model: &FoldedModel, fuse: usize) -> RealLayer {
    let linear = &model.levels[0];
    let (vocab_size, n_embd) = model.embedding.dim();
    let weight = linear.weight.mapv(f64::from);
    let embedding = model.embedding.mapv(f64::from);
    let mut rows = Array2::zeros((weight.nrows(), fuse * vocab_size));
    for position in 0..fuse {
        let part = weight.slice(ndarray::s![.., position * n_embd..(position + 1) * n_embd]);
        rows.slice_mut(ndarray::s![.., position * vocab_size..(position + 1) * vocab_size])
            .assign(&part.dot(&embedding.t()));
    }
    RealLayer {
        weight: rows,
        bias: linear.bias.mapv(f64::from),
        input_scale: 1.0,
        output_units: pre_activation_units(model.architecture.activation),
        input_max: 1.0,
    }
}

/// Rounds each weight of a model to its nearest step, without calibration: for comparison, and to know sizes.
///
/// [`crate::model::gptq::quantize`] loses less accuracy.
pub fn quantize_nearest(model: &FoldedModel, range: Range) -> QuantizedModel {
    let (embedding, first) = quantize_input(model);
    let mut layers = vec![first];
    for level in &model.levels[1..] {
        let real = RealLayer::level(level, model.architecture.activation);
        layers.push(match &level.int4_step {
            Some(steps) if range.precision() == Precision::Int4 => round_to_steps(&real, INT4_MAX, steps),
            _ => round_to_nearest(&real, range.levels),
        });
    }
    layers.push(round_to_nearest(&RealLayer::output(&model.output), range.output));
    QuantizedModel { precision: range.precision(), embedding, layers, lost: None }
}
