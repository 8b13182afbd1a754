//! Statistics of a layer's inputs on the calibration contexts, in f64.

use ndarray::{Array1, Array2, Axis};
use runtime::quant::{ACTIVATION_MAX, MULTIPLIER_FRACTION_BITS};
use runtime::write::IntegerLayer;
use tch::{Kind, Tensor};

use crate::model::arrays::to_matrix;
use crate::model::file::FoldedModel;
use crate::model::forward::forward_units;
use crate::model::quantize::InputLayer;
use crate::model::tensors::{embedding_rows, output_input};

/// Means over all contexts and nodes of a layer.
///
/// `X` are the inputs from the f32 model, `Xq` the inputs from the quantized layers below.
pub(super) struct Inputs {
    /// Mean of `Xq^T Xq`, `[fan_in, fan_in]`.
    pub hessian: Array2<f64>,
    /// Mean of `(X - Xq)^T Xq`, `[fan_in, fan_in]`.
    pub lost: Array2<f64>,
    /// Mean of `X`, `[fan_in]`.
    pub mean: Array1<f64>,
    /// Mean of `Xq`, `[fan_in]`.
    pub mean_quantized: Array1<f64>,
}

impl Inputs {
    /// Computes the statistics of a layer that reads values; the arguments are `[samples, fan_in]`.
    fn of(reference: &Array2<f64>, quantized: &Array2<f64>) -> Self {
        let samples = quantized.nrows() as f64;
        let mean = |x: &Array2<f64>| x.mean_axis(Axis(0)).expect("there are samples");
        Self {
            hessian: quantized.t().dot(quantized) / samples,
            lost: (reference - quantized).t().dot(quantized) / samples,
            mean: mean(reference),
            mean_quantized: mean(quantized),
        }
    }

    /// Computes the statistics of a table, whose `fuse * vocab_size` inputs are 1 for the token at each position and 0
    /// for all others.
    fn tokens(contexts: &Tensor, fuse: usize, vocab_size: usize) -> Self {
        let tokens: Vec<i64> = Vec::try_from(contexts.reshape([-1])).expect("contexts of i64");
        let columns = fuse * vocab_size;
        let mut hessian = Array2::zeros((columns, columns));
        let nodes = tokens.len() / fuse;
        for node in tokens.chunks_exact(fuse) {
            let column = |(position, &token): (usize, &i64)| {
                position * vocab_size + usize::try_from(token).expect("a token is not negative")
            };
            for first in node.iter().enumerate().map(column) {
                for second in node.iter().enumerate().map(column) {
                    hessian[[first, second]] += 1.0 / nodes as f64;
                }
            }
        }
        let mean = hessian.diag().to_owned();
        let lost = Array2::zeros((columns, columns));
        Self { hessian, lost, mean_quantized: mean.clone(), mean }
    }

    /// Computes the statistics of level 0, which reads the tokens of a table, or rows of the embedding.
    pub fn of_level_0(model: &FoldedModel, input: &InputLayer, contexts: &Tensor) -> Self {
        let level = model.architecture.levels[0];
        if input.is_table() {
            return Self::tokens(contexts, level.fuse.into(), model.vocab_size());
        }
        let fuse = i64::from(level.fuse);
        let n_embd = i64::try_from(model.architecture.n_embd).expect("a dimension");
        let rows = |values: Vec<f64>| {
            let table = Tensor::from_slice(&values).view([-1, n_embd]);
            to_matrix(&embedding_rows(&table, contexts).reshape([-1, fuse * n_embd]))
        };
        let reference = rows(model.embedding.iter().map(|&value| f64::from(value)).collect());
        let quantized = rows(input.embedding.iter().map(|&value| f64::from(value) * input.real.input_scale).collect());
        Self::of(&reference, &quantized)
    }

    /// Computes the statistics of the layer after `layers`: of its inputs from the f32 model, `reference`, and from the
    /// rounded `layers`.
    pub fn activations(model: &FoldedModel, reference: &[Tensor], layers: &[IntegerLayer], contexts: &Tensor) -> Self {
        let index = layers.len();
        let gather = |levels: &[Tensor]| match model.architecture.levels.get(index) {
            Some(level) => {
                let fuse = i64::from(level.fuse);
                let (b, t, c) = levels[index - 1].size3().expect("(B, T, C)");
                to_matrix(&levels[index - 1].view([b * t / fuse, c * fuse]))
            }
            None => to_matrix(&output_input(levels, model.architecture.skip)),
        };
        Self::of(&gather(reference), &gather(&quantized_activations(model, layers, contexts)))
    }
}

/// Computes the outputs `(B, T, C)` of the quantized `layers`: the integers as activations, in units of 1.
///
/// This serves only for calibration, since it does not round ties as the runtime does. The runtime computes all losses
/// that are reported.
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
                // `InputLayer` rounds the embedding.
                let embedding = InputLayer::new(model).embedding;
                let table = Tensor::from_slice(&embedding).to_kind(Kind::Double);
                let n_embd = i64::try_from(model.architecture.n_embd).expect("a dimension");
                x = embedding_rows(&table.view([-1, n_embd]), contexts);
            } else {
                // Not in place: `levels` has the same tensor.
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
