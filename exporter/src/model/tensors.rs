//! Examples as tensors, and functions that the network in training, the folded and the quantized network share.

use ndarray::Array2;
use runtime::Vocab;
use tch::{Device, Kind, Tensor};

use crate::data::{DataError, Examples};
use crate::model::arrays::{from_matrix, from_vector};
use crate::model::file::FoldedModel;
use crate::model::forward::forward_folded;

/// Returns the examples of words for a model; `list` is the list's name in messages.
///
/// # Errors
/// [`DataError::UnknownCharacter`] for a word that the model cannot read.
///
/// # Panics
/// If the model's vocabulary is not valid, which is checked when a file is read.
pub fn examples(model: &FoldedModel, list: &str, words: &[String]) -> Result<Examples, DataError> {
    let block_size = model.architecture.levels.iter().map(|level| usize::from(level.fuse)).product();
    let vocab = Vocab::new(&model.vocab).expect("it was checked when the file was read");
    Examples::new(list, words, vocab, block_size)
}

/// Returns the contexts `[N, block_size]` and targets `[N]` of examples, both i64.
///
/// # Panics
/// If there are more than 2^63 examples.
pub fn of_examples(examples: &Examples, device: Device) -> (Tensor, Tensor) {
    let block_size = i64::try_from(examples.block_size).expect("at most 1024");
    let contexts = Tensor::from_slice(&examples.contexts).view([-1, block_size]);
    let targets = Tensor::from_slice(&examples.targets);
    (contexts.to_kind(Kind::Int64).to_device(device), targets.to_kind(Kind::Int64).to_device(device))
}

/// Returns the input of the output layer: the newest position of the last level, or, with skip connections, of all
/// levels, side by side.
///
/// The output of a level is `(B, T, C)`, or `(B, C)` if the level has one position.
pub fn output_input(levels: &[Tensor], skip: bool) -> Tensor {
    let newest = |x: &Tensor| if x.dim() == 3 { x.select(1, -1) } else { x.shallow_clone() };
    match levels {
        [.., last] if !skip => newest(last),
        _ => Tensor::cat(&levels.iter().map(newest).collect::<Vec<_>>(), 1),
    }
}

/// Computes the output of every level of a folded network in f64, `(B, T, C)` each, from contexts `[B, block_size]`.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn level_outputs(model: &FoldedModel, contexts: &Tensor) -> Vec<Tensor> {
    let wide = |array: &Array2<f32>| from_matrix(&array.mapv(f64::from));
    let mut x = embedding_rows(&wide(&model.embedding), contexts);
    let levels = model.architecture.levels.iter().zip(&model.levels);
    let outputs = levels.map(|(level, linear)| {
        let (b, t, c) = x.size3().expect("(B, T, C)");
        let fuse = i64::from(level.fuse);
        let bias = from_vector(&linear.bias.mapv(f64::from));
        let rows = x.view([b, t / fuse, c * fuse]).matmul(&wide(&linear.weight).tr()) + bias;
        x = forward_folded(model.architecture.activation, &rows);
        x.shallow_clone()
    });
    outputs.collect()
}

/// Returns rows of a matrix by index.
pub fn embedding_rows(table: &Tensor, indices: &Tensor) -> Tensor {
    Tensor::embedding(table, indices, -1, false, false)
}
