//! Compares several models on the same characters with the first model.
//!
//! The loss of an integer model may be lower than that of the reference by luck, or because a coarse tanh flattens
//! distributions that were too sharp. The Kullback-Leibler divergence from the reference shows every difference: it is
//! zero only for equal distributions.

use runtime::{BOUNDARY, HeapState, Model, Stream, Token, Vocab};
use tch::{Device, Tensor};

use super::runtime_loss;
use crate::data::{DataError, Examples, tokens};
use crate::model::file::FoldedModel;
use crate::model::loss::Loss;
use crate::model::pack::ModelFile;
use crate::model::tensors;
use crate::model::torch_model::TorchModel;

/// Words evaluated together: enough for libtorch to be fast, and few enough for the distributions of all models to fit
/// into memory.
const WORDS_AT_ONCE: usize = 256;

/// Error of models with different vocabularies.
#[derive(Debug, thiserror::Error)]
#[error(
    "the vocabularies of {model} ({model_len} characters) and {reference} ({reference_len} characters) differ: their \
     losses cannot be compared"
)]
pub struct VocabularyError {
    /// Name of the model.
    pub model: String,
    /// Size of its vocabulary, the boundary included.
    pub model_len: usize,
    /// Name of the first model.
    pub reference: String,
    /// Size of its vocabulary.
    pub reference_len: usize,
}

/// A model ready to be evaluated.
pub struct Candidate<'a> {
    name: String,
    engine: Engine<'a>,
}

enum Engine<'a> {
    Torch { model: &'a FoldedModel, torch: TorchModel },
    Runtime(Box<Model<'a>>),
}

impl<'a> Candidate<'a> {
    /// Prepares a file: safetensors for libtorch, a blob for the runtime. `name` is the model's name in messages.
    ///
    /// # Errors
    /// [`runtime::FormatError`] for a blob that the runtime refuses.
    pub fn new(name: &str, file: &'a ModelFile) -> Result<Self, runtime::FormatError> {
        let engine = match file {
            ModelFile::Folded(model) => Engine::Torch { model, torch: TorchModel::new(model, Device::Cpu) },
            ModelFile::Blob(blob) => Engine::Runtime(Box::new(Model::new(blob.as_bytes())?)),
        };
        Ok(Self { name: name.to_owned(), engine })
    }

    /// Returns the program that computes the model, and its precision: `libtorch f32`, `runtime int8`.
    pub fn kind(&self) -> String {
        match &self.engine {
            Engine::Torch { .. } => "libtorch f32".to_owned(),
            Engine::Runtime(model) => format!("runtime {}", model.precision().name()),
        }
    }

    fn vocab(&self) -> &str {
        match &self.engine {
            Engine::Torch { model, .. } => &model.vocab,
            Engine::Runtime(model) => model.vocab().as_str(),
        }
    }

    /// Computes the mean loss over words; that of a blob is the runtime's own score.
    ///
    /// # Errors
    /// [`DataError::UnknownCharacter`] for a word that the model cannot read; `list` is the list's name in messages.
    pub fn loss(&self, list: &str, words: &[String]) -> Result<Loss, DataError> {
        match &self.engine {
            Engine::Torch { torch, model } if model.is_of_text() => {
                let (mut sum, mut characters) = (0.0, 0);
                for text in words {
                    let loss = torch.loss_of_text(&text_tokens(model, list, text)?);
                    sum += loss.nll * loss.characters as f64;
                    characters += loss.characters;
                }
                Ok(Loss { nll: sum / characters.max(1) as f64, characters })
            }
            Engine::Torch { torch, .. } => Ok(torch.loss(&self.examples(list, words)?)),
            Engine::Runtime(model) => runtime_loss(model, list, words),
        }
    }

    fn examples(&self, list: &str, words: &[String]) -> Result<Examples, DataError> {
        let Engine::Torch { model, .. } = &self.engine else { unreachable!("only libtorch evaluates whole windows") };
        tensors::examples(model, list, words)
    }

    /// Computes the logits `[characters][vocab_size]` for every character of every word, and for the end of a word.
    fn logits(&self, list: &str, words: &[String]) -> Result<Vec<f64>, DataError> {
        match &self.engine {
            Engine::Torch { torch, model } if model.is_of_text() => {
                let mut all = Vec::new();
                for text in words {
                    let logits = torch.logits_of_text(&text_tokens(model, list, text)?).reshape([-1]);
                    all.extend(Vec::<f64>::try_from(logits).expect("a tensor of f64"));
                }
                Ok(all)
            }
            Engine::Torch { torch, .. } => {
                let examples = self.examples(list, words)?;
                let forward =
                    || torch.forward(&tensors::of_examples(&examples, Device::Cpu).0).to_kind(tch::Kind::Double);
                let logits: Tensor = tch::no_grad(forward).reshape([-1]);
                Ok(Vec::try_from(logits).expect("a tensor of f64"))
            }
            Engine::Runtime(model) => runtime_logits(model, list, words),
        }
    }
}

/// Returns the tokens of a text.
fn text_tokens(model: &FoldedModel, list: &str, text: &str) -> Result<Vec<Token>, DataError> {
    let vocab = Vocab::new(&model.vocab).expect("it was checked when the file was read");
    tokens(list, text, vocab).collect()
}

fn runtime_logits(model: &Model<'_>, list: &str, words: &[String]) -> Result<Vec<f64>, DataError> {
    let mut state = HeapState::new(model);
    let mut stream = Stream::new(model, &mut state).expect("made for this model");
    let mut all = Vec::new();
    for word in words {
        stream.reset();
        let end = (!model.vocab().is_of_text()).then_some(Ok(BOUNDARY));
        for token in word.chars().map(|character| model.vocab().encode(character)).chain(end) {
            let unknown = |error| DataError::unknown_character(list, word, &error, model.vocab().as_str());
            let token = token.map_err(unknown)?;
            let logits = stream.logits();
            // The conversion is exact: a fixed-point logit below 2^14 nats has at most 24 bits.
            let logit = |index: usize| logits.get(index as u8).map_or(f64::NAN, f64::from);
            all.extend((0..logits.len()).map(logit));
            stream.push(token);
        }
    }
    Ok(all)
}

/// Distance of a model from the reference, over the same characters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// The model's loss.
    pub loss: Loss,
    /// The model's loss minus that of the reference, in nats per character.
    pub delta: f64,
    /// Mean Kullback-Leibler divergence of the model's distribution from that of the reference,
    /// `sum p_ref ln (p_ref / p)`, in nats per character.
    pub kl: f64,
    /// Percentage of positions at which both models find the same character most probable.
    pub top1: f64,
}

/// Models with the same vocabulary; the first is the reference.
pub struct Comparison<'a> {
    candidates: Vec<Candidate<'a>>,
}

impl<'a> Comparison<'a> {
    /// Makes a comparison of models.
    ///
    /// # Errors
    /// [`VocabularyError`] names the first model whose vocabulary differs from that of the reference.
    pub fn new(candidates: Vec<Candidate<'a>>) -> Result<Self, VocabularyError> {
        if let Some((reference, others)) = candidates.split_first()
            && let Some(other) = others.iter().find(|other| other.vocab() != reference.vocab())
        {
            let len = |candidate: &Candidate<'_>| candidate.vocab().chars().count();
            return Err(VocabularyError {
                model: other.name.clone(),
                model_len: len(other),
                reference: reference.name.clone(),
                reference_len: len(reference),
            });
        }
        Ok(Self { candidates })
    }

    /// Returns the models, the reference first.
    pub fn candidates(&self) -> &[Candidate<'a>] {
        &self.candidates
    }

    /// Evaluates all models on `words`; returns one distance per model, in their order.
    ///
    /// # Errors
    /// [`DataError::UnknownCharacter`] for a word that the models cannot read; `list` is the list's name in messages.
    pub fn over(&self, list: &str, words: &[String]) -> Result<Vec<Distance>, DataError> {
        let Some((reference, others)) = self.candidates.split_first() else { return Ok(Vec::new()) };
        let vocab_size = reference.vocab().chars().count();
        let mut sums = vec![(0.0, 0_usize); others.len()];
        for words in words.chunks(WORDS_AT_ONCE) {
            let expected = reference.logits(list, words)?;
            for (candidate, (kl, agreed)) in others.iter().zip(&mut sums) {
                let logits = candidate.logits(list, words)?;
                for (expected, logits) in expected.chunks(vocab_size).zip(logits.chunks(vocab_size)) {
                    *kl += divergence(expected, logits);
                    *agreed += usize::from(largest(expected) == largest(logits));
                }
            }
        }
        let first = reference.loss(list, words)?;
        let mut distances = vec![Distance { loss: first, delta: 0.0, kl: 0.0, top1: 100.0 }];
        for (candidate, (kl, agreed)) in others.iter().zip(sums) {
            let loss = candidate.loss(list, words)?;
            let characters = loss.characters.max(1) as f64;
            // Only rounding can make the mean divergence negative.
            let (kl, top1) = ((kl / characters).max(0.0), 100.0 * agreed as f64 / characters);
            distances.push(Distance { loss, delta: loss.nll - first.nll, kl, top1 });
        }
        Ok(distances)
    }
}

/// Computes `sum p ln (p / q)` of the softmax of two rows of logits, in nats.
pub(super) fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let (p_norm, q_norm) = (log_sum_exp(p), log_sum_exp(q));
    p.iter().zip(q).map(|(p, q)| (p - p_norm).exp() * ((p - p_norm) - (q - q_norm))).sum()
}

pub(super) fn log_sum_exp(logits: &[f64]) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln()
}

/// Returns the index of the largest logit, the lowest index among equals, as the sampler does.
pub(super) fn largest(logits: &[f64]) -> usize {
    logits.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_kullback_and_leiblers() {
        // p = (1/2, 1/2), q = (1/4, 3/4): 1/2 ln 2 + 1/2 ln (2/3); a constant added to the logits changes nothing.
        let q = [5.0 + 0.25_f64.ln(), 5.0 + 0.75_f64.ln()];
        let expected = 0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln();
        assert!((divergence(&[7.0, 7.0], &q) - expected).abs() < 1e-12);
        assert!(divergence(&q, &q).abs() < 1e-15);
        // Logits that are far apart must not overflow or become NaN.
        assert!((divergence(&[0.0, -2000.0], &[0.0, 2000.0]) - 2000.0).abs() < 1e-9);
    }

    #[test]
    fn the_lowest_of_equals_is_largest() {
        assert_eq!((largest(&[1.0, 3.0, 3.0, 2.0]), largest(&[0.0, 0.0]), largest(&[-1.0, -0.5])), (1, 0, 1));
    }
}
