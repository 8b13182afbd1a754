//! The tensors of a structure as the model of this program: BatchNorm folded in, everything in f32.

use ndarray::{Array1, Array2};
use runtime::Vocab;

use super::{ImportError, Layer, Options, Orientation, StateDict, Structure};
use crate::model::file::{FoldedLinear, FoldedModel, Origin};
use crate::model::fold::{BatchNormStats, fold_batch_norm};

/// Folds a `state_dict` that was understood. `vocab` has the characters in the order of the embedding's rows.
///
/// # Errors
/// [`ImportError`] if the vocabulary has another number of characters, for a variance that cannot be, and for values beyond f32.
///
/// # Panics
/// If `structure` is not that of `state`.
pub fn fold(
    state: &StateDict,
    structure: &Structure,
    options: &Options,
    vocab: &str,
    origin: Origin,
) -> Result<FoldedModel, ImportError> {
    let found = vocab.chars().count();
    if found != structure.vocab_size {
        return Err(ImportError::Vocabulary {
            found,
            tensor: structure.embedding.clone(),
            rows: structure.vocab_size,
            hint: if found + 1 == structure.vocab_size { ": the boundary's sign comes first" } else { "" },
        });
    }
    Vocab::new(vocab).map_err(ImportError::BadVocabulary)?;
    let embedding = matrix(state, &structure.embedding, Orientation::FanOutFanIn);
    let embedding = embedding.mapv(|value| value as f32);
    if embedding.iter().any(|value| !value.is_finite()) {
        return Err(ImportError::Overflow { tensor: structure.embedding.clone() });
    }
    let linear = |layer: &Layer| linear(state, layer, structure.orientation, options.eps);
    Ok(FoldedModel {
        architecture: structure.architecture(),
        vocab: vocab.to_owned(),
        embedding,
        levels: structure.levels.iter().map(linear).collect::<Result<_, _>>()?,
        output: linear(&structure.output)?,
        origin,
    })
}

fn matrix(state: &StateDict, name: &str, orientation: Orientation) -> Array2<f64> {
    let tensor = &state.tensors[name];
    let shape = [tensor.shape[0], tensor.shape[1]];
    let matrix = Array2::from_shape_vec(shape, tensor.values.clone()).expect("the library has checked the lengths");
    match orientation {
        Orientation::FanOutFanIn => matrix,
        Orientation::FanInFanOut => matrix.reversed_axes().as_standard_layout().into_owned(),
    }
}

fn vector(state: &StateDict, name: &str) -> Array1<f64> {
    Array1::from(state.tensors[name].values.clone())
}

fn linear(state: &StateDict, layer: &Layer, orientation: Orientation, eps: f64) -> Result<FoldedLinear, ImportError> {
    let weight = matrix(state, &layer.weight, orientation);
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
                    return Err(refuse("no variance is negative"));
                }
                // Of a channel that is constant whatever comes in, or that gamma cuts off, the fold is exact all the same.
                let constant = gamma[channel] == 0.0 || weight.row(channel).iter().all(|&weight| weight == 0.0);
                if value == 0.0 && !(constant && eps > 0.0) {
                    return Err(refuse("the channel never moved in training though its weights are not zero"));
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
