//! Measures the loss of a blob's integers against the f32 model that they were made from.

use runtime::format::AlignedBlob;

use super::compare::{Candidate, Comparison};
use crate::data::DataError;
use crate::model::file::FoldedModel;
use crate::model::lost::Lost;
use crate::model::pack::ModelFile;

/// Most words that are evaluated: about 14,000 characters of names.
const MAX_WORDS: usize = 2_000;

/// Evaluates a model and its blob on some of `words`, evenly spread; `list` is the list's name in messages.
///
/// # Errors
/// [`DataError::UnknownCharacter`] for a word that the model cannot read.
///
/// # Panics
/// If the blob is of another model.
pub fn lost(model: &FoldedModel, blob: AlignedBlob, list: &str, words: &[String]) -> Result<Lost, DataError> {
    let every = words.len().div_ceil(MAX_WORDS).max(1);
    let words: Vec<String> = words.iter().step_by(every).cloned().collect();
    let files = [ModelFile::Folded(Box::new(model.clone())), ModelFile::Blob(blob)];
    let candidates = files.iter().map(|file| Candidate::new("model", file).expect("it was just packed"));
    let comparison = Comparison::new(candidates.collect()).expect("the vocabulary is the same");
    let distances = comparison.over(list, &words)?;
    let integers = distances.last().expect("two models");
    Ok(Lost { kl: integers.kl, delta: integers.delta })
}
