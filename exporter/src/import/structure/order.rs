//! Second pass: which matrix is the embedding, and in which order the layers are.

use super::modules::Matrix;
use crate::import::names::{self, natural, numbered};
use crate::import::{ImportError, Options, StateDict};

/// Returns the embedding, and the layers from the characters up.
pub(super) fn in_order(
    state: &StateDict,
    mut matrices: Vec<Matrix>,
    options: &Options,
) -> Result<(Matrix, Vec<Matrix>), ImportError> {
    if !options.order.is_empty() {
        return as_asked(matrices, &options.order);
    }
    matrices.sort_by(|first, second| natural(&first.module, &second.module));
    let named: Vec<usize> = (0..matrices.len()).filter(|&at| names::is_embedding(&matrices[at].module)).collect();
    let at = match named[..] {
        [at] => at,
        [] => 0,
        [first, second, ..] => {
            // One of positions, as transformers have: the characters' is the other.
            let position = |at: &usize| matrices[*at].module.to_ascii_lowercase().contains("pos");
            let other = [first, second].into_iter().find(position).unwrap_or(second);
            let tensor = matrices[other].weight.clone();
            return Err(ImportError::Extra { found: state.tensors[&tensor].shape.clone(), tensor });
        }
    };
    let embedding = matrices.remove(at);
    if embedding.bias.is_some() || embedding.norm.is_some() {
        return Err(ImportError::NoEmbedding { tensor: embedding.weight });
    }
    // The output layer: by its name, or the last; or the only one that can be.
    let vocab_size = embedding.shape[0];
    let named: Vec<usize> = (0..matrices.len()).filter(|&at| names::is_output(&matrices[at].module)).collect();
    let possible: Vec<usize> = (0..matrices.len()).filter(|&at| matrices[at].shape.contains(&vocab_size)).collect();
    let at = match (&named[..], &possible[..]) {
        (&[at], _) => at,
        (_, &[at]) => at,
        _ => matrices.len() - 1,
    };
    let output = matrices.remove(at);
    for (index, first) in matrices.iter().enumerate() {
        for second in &matrices[index + 1..] {
            if first.shape == second.shape && !numbered(&first.module, &second.module) {
                let [first, second] = [first, second].map(|matrix| matrix.module.clone());
                return Err(ImportError::Order { first, second });
            }
        }
    }
    matrices.push(output);
    Ok((embedding, matrices))
}

/// Returns them in the order of `--order`.
fn as_asked(mut matrices: Vec<Matrix>, order: &[String]) -> Result<(Matrix, Vec<Matrix>), ImportError> {
    let modules = matrices.iter().map(|matrix| matrix.module.as_str()).collect::<Vec<_>>().join(", ");
    let bad = |reason: String| ImportError::BadOrder { reason, modules: modules.clone() };
    let mut layers = Vec::new();
    for name in order {
        let at = matrices.iter().position(|matrix| matrix.module == *name || matrix.weight == *name);
        layers.push(matrices.remove(at.ok_or_else(|| bad(format!("{name:?} is no module, or stands twice")))?));
    }
    if let Some(left) = matrices.first() {
        return Err(bad(format!("{:?} is not in it", left.module)));
    }
    let embedding = layers.remove(0);
    if embedding.bias.is_some() || embedding.norm.is_some() {
        return Err(ImportError::NoEmbedding { tensor: embedding.weight });
    }
    Ok((embedding, layers))
}
