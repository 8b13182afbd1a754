//! Conversion of a structure's tensors to a model of this program: BatchNorm folded in, everything in f32.

use ndarray::{Array1, Array2, Array3, Axis, concatenate};
use runtime::Vocab;

use super::{Alphabet, ImportError, Layer, Options, Orientation, StateDict, Structure};
use crate::model::activation;
use crate::model::file::{FoldedLinear, FoldedModel, Origin};
use crate::model::fold::{BatchNormStats, fold_batch_norm};

/// Folds a `state_dict` with the structure found in it. `vocab` has the characters in the order of the embedding's
/// rows, the boundary first.
///
/// # Errors
/// See [`fold_alphabet`].
///
/// # Panics
/// If `structure` does not belong to `state`.
pub fn fold(
    state: &StateDict,
    structure: &Structure,
    options: &Options,
    vocab: &str,
    origin: Origin,
) -> Result<FoldedModel, ImportError> {
    fold_alphabet(state, structure, options, &Alphabet::in_order(vocab), origin)
}

/// Folds a `state_dict` with the structure found in it. The rows may be in another order than the model's.
///
/// # Errors
/// [`ImportError`] if the vocabulary has another number of characters than the embedding has rows, a variance is
/// impossible, or a value is too large for f32.
///
/// # Panics
/// If `structure` does not belong to `state`.
pub fn fold_alphabet(
    state: &StateDict,
    structure: &Structure,
    options: &Options,
    alphabet: &Alphabet,
    origin: Origin,
) -> Result<FoldedModel, ImportError> {
    let (vocab, found) = (&alphabet.characters, alphabet.rows.len);
    if found != structure.vocab_size {
        return Err(ImportError::Vocabulary {
            found,
            tensor: structure.embedding.clone(),
            rows: structure.vocab_size,
            hint: if found + 1 == structure.vocab_size { ": is the boundary's sign missing?" } else { "" },
        });
    }
    Vocab::new(vocab).map_err(ImportError::BadVocabulary)?;
    let embedding = matrix(state, &structure.embedding, None, Orientation::FanOutFanIn);
    let embedding = embedding.mapv(|value| value as f32).select(Axis(0), &alphabet.rows.read());
    if embedding.iter().any(|value| !value.is_finite()) {
        return Err(ImportError::Overflow { tensor: structure.embedding.clone() });
    }
    let linear = |layer: &Layer| linear(state, layer, structure.orientation, options.eps);
    let level = |layer: &Layer| -> Result<FoldedLinear, ImportError> {
        let mut halves = layer.halves().map(linear).collect::<Result<Vec<_>, _>>()?;
        if structure.gates_first && halves.len() == 2 {
            halves.swap(0, 1);
        }
        let FoldedLinear { mut weight, mut bias, .. } = join(&halves);
        if structure.gates_first && halves.len() == 1 {
            let rows: Vec<usize> = (bias.len() / 2..bias.len()).chain(0..bias.len() / 2).collect();
            (weight, bias) = (weight.select(Axis(0), &rows), bias.select(Axis(0), &rows));
        }
        activation::fold(structure.activation, &mut weight, &mut bias);
        Ok(FoldedLinear { weight, bias, int4_step: None })
    };
    let mut output = linear(&structure.output)?;
    if structure.skip_reversed {
        let mut end = output.weight.ncols();
        let blocks = structure.levels.iter().map(|layer| {
            let block = end - structure.width(layer)..end;
            end = block.start;
            block
        });
        let columns: Vec<usize> = blocks.flatten().collect();
        output.weight = output.weight.select(Axis(1), &columns).as_standard_layout().into_owned();
    }
    let rows = alphabet.rows.predicted();
    (output.weight, output.bias) = (output.weight.select(Axis(0), &rows), output.bias.select(Axis(0), &rows));
    Ok(FoldedModel {
        architecture: structure.architecture(),
        vocab: vocab.clone(),
        embedding,
        levels: structure.levels.iter().map(level).collect::<Result<_, _>>()?,
        output,
        origin,
    })
}

/// Joins the rows of several layers to one layer.
fn join(halves: &[FoldedLinear]) -> FoldedLinear {
    let weights: Vec<_> = halves.iter().map(|half| half.weight.view()).collect();
    let biases: Vec<_> = halves.iter().map(|half| half.bias.view()).collect();
    FoldedLinear {
        weight: concatenate(Axis(0), &weights).expect("halves have the same columns"),
        bias: concatenate(Axis(0), &biases).expect("vectors"),
        int4_step: None,
    }
}

/// Returns a matrix as `[fan_out, fan_in]`. Element `[o, channel, position]` of a convolution becomes row o, column
/// position * channels + channel.
fn matrix(state: &StateDict, name: &str, kernel: Option<usize>, orientation: Orientation) -> Array2<f64> {
    let tensor = &state.tensors[name];
    let [rows, columns] = [tensor.shape[0], tensor.shape[1]];
    let values = tensor.values.clone();
    const CHECKED: &str = "safetensors checks the lengths";
    if let Some(kernel) = kernel {
        let convolution = Array3::from_shape_vec([rows, columns, kernel], values).expect(CHECKED);
        let turned = convolution.permuted_axes([0, 2, 1]).as_standard_layout().into_owned();
        return turned.into_shape_with_order([rows, kernel * columns]).expect("as many values");
    }
    let matrix = Array2::from_shape_vec([rows, columns], values).expect(CHECKED);
    match orientation {
        Orientation::FanOutFanIn => matrix,
        Orientation::FanInFanOut => matrix.reversed_axes().as_standard_layout().into_owned(),
    }
}

fn vector(state: &StateDict, name: &str) -> Array1<f64> {
    Array1::from(state.tensors[name].values.clone())
}

fn linear(state: &StateDict, layer: &Layer, orientation: Orientation, eps: f64) -> Result<FoldedLinear, ImportError> {
    let weight = matrix(state, &layer.weight, layer.kernel, orientation);
    let bias = layer.bias.as_ref().map(|bias| vector(state, bias));
    let (weight, bias) = match &layer.batch_norm {
        None => (weight, bias.unwrap_or_else(|| Array1::zeros(layer.fan_out))),
        Some(norm) => {
            let affine = |name: &Option<String>, default: f64| {
                name.as_ref().map_or_else(|| Array1::from_elem(layer.fan_out, default), |name| vector(state, name))
            };
            let (gamma, beta, spread) =
                (affine(&norm.gamma, 1.0), affine(&norm.beta, 0.0), vector(state, &norm.spread));
            let eps = if norm.deviation { 0.0 } else { eps };
            for (channel, &value) in spread.iter().enumerate() {
                let refuse = |reason| ImportError::Variance { tensor: norm.spread.clone(), value, channel, reason };
                if value < 0.0 {
                    return Err(refuse("a variance or deviation cannot be negative"));
                }
                // The fold of a constant channel, or of one with gamma 0, is exact despite a variance of 0.
                let constant = gamma[channel] == 0.0 || weight.row(channel).iter().all(|&weight| weight == 0.0);
                if value == 0.0 && !(constant && eps > 0.0) {
                    return Err(refuse("the channel never changed during training, although its weights are not zero"));
                }
            }
            let running_var = if norm.deviation { spread.mapv(|deviation| deviation * deviation) } else { spread };
            let stats =
                BatchNormStats { weight: gamma, bias: beta, running_mean: vector(state, &norm.mean), running_var, eps };
            fold_batch_norm(&weight, bias.as_ref(), &stats)
        }
    };
    let (weight, bias) = (weight.mapv(|value| value as f32), bias.mapv(|value| value as f32));
    if weight.iter().chain(&bias).any(|value| !value.is_finite()) {
        return Err(ImportError::Overflow { tensor: layer.weight.clone() });
    }
    Ok(FoldedLinear { weight, bias, int4_step: None })
}
