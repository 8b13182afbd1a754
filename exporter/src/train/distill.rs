//! What a network learns from other networks.

use std::ops::ControlFlow;

use runtime::{Model, Sampling, Vocab};
use tch::{Device, Kind, Tensor};

use super::TrainError;
use crate::data::Examples;
use crate::eval::{TorchModel, tensors};
use crate::file::FoldedModel;
use crate::pack::pack_f32;
use crate::sample;

/// Longest word that is drawn; longer ones are cut off.
const MAX_LEN: usize = 32;

/// Refuses teachers that know other characters.
///
/// # Errors
/// [`TrainError::Option`] names the first.
pub fn check(teachers: &[FoldedModel], vocab: &str) -> Result<(), TrainError> {
    match teachers.iter().enumerate().find(|(_, teacher)| teacher.vocab != vocab) {
        None => Ok(()),
        Some((index, teacher)) => Err(TrainError::Option(format!(
            "teacher {} was trained on other characters: {:?}, the words have {vocab:?}",
            index + 1,
            teacher.vocab
        ))),
    }
}

/// Words drawn from the teachers in equal shares, a seed for each.
///
/// # Errors
/// [`TrainError::Option`] for a teacher that cannot be run.
pub fn draw_words(teachers: &[FoldedModel], count: usize, seed: u64) -> Result<Vec<String>, TrainError> {
    let mut words = Vec::with_capacity(count);
    for (index, teacher) in teachers.iter().enumerate() {
        let refused = |error: &dyn std::fmt::Display| TrainError::Option(format!("teacher {}: {error}", index + 1));
        let blob = pack_f32(teacher).map_err(|error| refused(&error))?;
        let model = Model::new(blob.as_bytes()).map_err(|error| refused(&error))?;
        let share = (index + 1) * count / teachers.len() - index * count / teachers.len();
        let each = |(word, _)| {
            words.push(word);
            ControlFlow::Continue(())
        };
        let seed = seed.wrapping_add(index as u64);
        sample::words_in_parallel(&model, Sampling::default(), seed, "", MAX_LEN, share, each)
            .map_err(|error| refused(&error))?;
    }
    Ok(words)
}

/// The mean of the teachers' predictions for every character of every word, and its end: probabilities `[N, vocab_size]`, in
/// the order of [`Examples`].
///
/// # Errors
/// [`TrainError`] for words that the teachers cannot read, or no teachers.
pub fn predictions(
    teachers: &[FoldedModel],
    words: &[String],
    vocab: &str,
    device: Device,
) -> Result<Tensor, TrainError> {
    let mut sum: Option<Tensor> = None;
    for teacher in teachers {
        let block_size = teacher.architecture.config(vocab.chars().count())?.block_size();
        let examples = Examples::new("the words", words, Vocab::new(vocab)?, block_size)?;
        let (contexts, _) = tensors(&examples, device);
        let predicted = TorchModel::new(teacher, device).probabilities(&contexts) / teachers.len() as f64;
        sum = Some(match sum {
            Some(sum) => sum + predicted,
            None => predicted,
        });
    }
    sum.ok_or_else(|| TrainError::Option("there are no teachers to learn from".to_owned()))
}

/// Blends the next character itself, by the share `hard`, into the predictions for the first examples, in place.
pub fn harden(predictions: &Tensor, targets: &Tensor, hard: f64) {
    let vocab_size = predictions.size()[1];
    let mut first = predictions.narrow(0, 0, targets.size()[0]);
    let characters = targets.one_hot(vocab_size).to_kind(Kind::Float);
    first.copy_(&(&first * (1.0 - hard) + characters * hard));
}

/// Mean cross-entropy of `logits` `[N, vocab_size]` against `wanted` probabilities, in nats.
pub fn soft_cross_entropy(logits: &Tensor, wanted: &Tensor) -> Tensor {
    -(logits.log_softmax(-1, Kind::Float) * wanted).sum(Kind::Float) / logits.size()[0] as f64
}

/// Loss of predictions `[N, vocab_size]`, in nats per character.
pub fn nll(predictions: &Tensor, targets: &Tensor) -> f64 {
    let picked = predictions.gather(1, &targets.unsqueeze(1), false);
    -picked.log().mean(Kind::Double).double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn against_certainty_it_is_the_usual_loss() {
        let logits = Tensor::from_slice(&[0.3_f32, -1.0, 2.0, 0.0, 0.5, 0.1]).view([2, 3]);
        let targets = Tensor::from_slice(&[2_i64, 0]);
        let wanted = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        harden(&wanted, &targets, 1.0);
        let (soft, hard) = (soft_cross_entropy(&logits, &wanted), logits.cross_entropy_for_logits(&targets));
        assert!((soft - hard).abs().double_value(&[]) < 1e-6);
    }
}
