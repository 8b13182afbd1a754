//! What a network learns from other networks.

use std::ops::ControlFlow;

use runtime::{Model, Sampling};
use tch::{IndexOp, Kind, Tensor};

use super::TrainError;
use crate::eval::TorchModel;
use crate::file::FoldedModel;
use crate::pack::pack_f32;
use crate::sample;

/// Longest word that is drawn; longer ones are cut off.
const MAX_LEN: usize = 32;

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

/// The mean of the teachers' predictions for each example: contexts `[N, block_size]` -> probabilities `[N, vocab_size]`.
pub fn predictions(teachers: &[FoldedModel], contexts: &Tensor) -> Tensor {
    const BATCH: i64 = 8192;
    let (len, device) = (contexts.size()[0], contexts.device());
    let teachers: Vec<TorchModel> = teachers.iter().map(|teacher| TorchModel::new(teacher, device)).collect();
    let share = 1.0 / teachers.len() as f64;
    let batches = (0..len).step_by(BATCH as usize).map(|start| {
        let contexts = contexts.i(start..(start + BATCH).min(len));
        tch::no_grad(|| {
            let mut mean = teachers[0].forward(&contexts).softmax(-1, Kind::Float) * share;
            for teacher in &teachers[1..] {
                mean += teacher.forward(&contexts).softmax(-1, Kind::Float) * share;
            }
            mean
        })
    });
    Tensor::cat(&batches.collect::<Vec<_>>(), 0)
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

/// Loss of the mean of the teachers' predictions.
pub fn ensemble_nll(teachers: &[FoldedModel], contexts: &Tensor, targets: &Tensor) -> f64 {
    let predicted = predictions(teachers, contexts).gather(1, &targets.unsqueeze(1), false);
    -predicted.log().mean(Kind::Double).double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn against_certainty_it_is_the_usual_loss() {
        let logits = Tensor::from_slice(&[0.3_f32, -1.0, 2.0, 0.0, 0.5, 0.1]).view([2, 3]);
        let targets = Tensor::from_slice(&[2_i64, 0]);
        let wanted = Tensor::zeros([2, 3], (Kind::Float, tch::Device::Cpu));
        harden(&wanted, &targets, 1.0);
        let (soft, hard) = (soft_cross_entropy(&logits, &wanted), logits.cross_entropy_for_logits(&targets));
        assert!((soft - hard).abs().double_value(&[]) < 1e-6);
    }
}
