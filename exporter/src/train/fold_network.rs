//! Conversion of the network in training to a folded model.

use runtime::{BOUNDARY, Vocab};
use tch::Tensor;

use crate::model::activation;
use crate::model::architecture::Architecture;
use crate::model::arrays::{to_matrix, to_vector};
use crate::model::file::{FoldedLinear, FoldedModel, Origin};
use crate::model::fold::{BatchNormStats, fold_batch_norm};
use crate::train::nn::{BATCH_NORM_EPS, BatchNorm1d, Linear, Sequential, Statistics};

/// Reason why a network cannot be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The network has the lecture's BatchNorm bug.
    #[error(
        "its BatchNorm keeps statistics per position, so its folded weights would differ between positions; the preset \
         only serves to compare losses"
    )]
    PerPosition,
}

/// Logit of the boundary in a model of text. Its probability is zero in every number format, at every temperature.
const NEVER: f32 = -10_000.0;

/// Copies a network out of libtorch and folds every BatchNorm into the linear layer before it. The folded model of a
/// text never draws the boundary.
///
/// # Errors
/// [`FoldError`] if the network cannot be folded.
///
/// # Panics
/// If libtorch cannot copy a tensor to the CPU.
pub fn fold_network(
    network: &Sequential,
    architecture: &Architecture,
    vocab: &str,
    origin: Origin,
) -> Result<FoldedModel, FoldError> {
    if network.levels.iter().any(|level| level.batch_norm.statistics == Statistics::BatchOnly) {
        return Err(FoldError::PerPosition);
    }
    let fold = |linear: &Linear, batch_norm: &BatchNorm1d| {
        let wide = |values: &Tensor| to_vector::<f32>(values).mapv(f64::from);
        let stats = BatchNormStats {
            weight: wide(&batch_norm.weight),
            bias: wide(&batch_norm.bias),
            running_mean: wide(&batch_norm.running_mean),
            running_var: wide(&batch_norm.running_var),
            eps: BATCH_NORM_EPS,
        };
        let weight = to_matrix::<f32>(&linear.weight).mapv(f64::from);
        let (weight, bias) = fold_batch_norm(&weight, None, &stats);
        let (mut weight, mut bias) = (weight.mapv(|value| value as f32), bias.mapv(|value| value as f32));
        activation::fold(architecture.activation, &mut weight, &mut bias);
        FoldedLinear { weight, bias, int4_step: None }
    };
    let mut output = FoldedLinear {
        weight: to_matrix(&network.output.weight),
        bias: to_vector(network.output.bias.as_ref().expect("the output layer has one")),
        int4_step: None,
    };
    if Vocab::new(vocab).is_ok_and(|vocab| vocab.is_of_text()) {
        let boundary = usize::from(BOUNDARY);
        output.weight.row_mut(boundary).fill(0.0);
        output.bias[boundary] = NEVER;
    }
    Ok(FoldedModel {
        architecture: architecture.clone(),
        vocab: vocab.to_owned(),
        embedding: to_matrix(&network.embedding.weight),
        levels: network.levels.iter().map(|level| fold(&level.linear, &level.batch_norm)).collect(),
        output,
        origin,
    })
}
