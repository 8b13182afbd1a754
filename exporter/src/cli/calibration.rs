//! Words that the rounding of a model is calibrated on.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;
use exporter::data::{MAX_WORDS, SHIPPED_NAME, Words, hex};
use exporter::inference::sample::words_in_parallel;
use exporter::model::file::FoldedModel;
use exporter::model::gptq::calibration_contexts;
use exporter::model::pack::pack_f32;
use exporter::model::tensors;
use runtime::{DEFAULT_MAX_LEN, Model, Sampling};
use tch::Tensor;

use super::count;

/// Words drawn from a model without a list: they have about as many contexts as the calibration takes.
const DRAWN_WORDS: usize = 3_000;
/// Seed of these words: the same model gives the same words.
const DRAWN_SEED: u64 = 42;

/// Words to calibrate on, and their origin.
pub struct Calibration {
    /// The words.
    pub words: Vec<String>,
    /// Name of their source in messages.
    pub source: String,
}

/// Returns the words of `list`. Without a list: the shipped list if the model was trained on it, else words drawn from
/// the model.
///
/// Of a list the train split is taken. A note says which words are taken where no list was given.
pub fn words(list: Option<&Path>, model: &FoldedModel) -> anyhow::Result<Calibration> {
    if let Some(list) = list {
        let mut words = super::list(Some(list), MAX_WORDS)?;
        if hex(&words.sha256) == model.origin.data_sha256 {
            // Those with characters that the training dropped: see `train --max-characters`.
            words.keep_known(&model.vocab);
        }
        return Ok(Calibration { words: words.split()?.train, source: words.name });
    }
    let shipped = Words::shipped()?;
    if model.origin.data_sha256 == hex(&shipped.sha256) {
        eprintln!("calibrated on {SHIPPED_NAME}, on which the model was trained");
        return Ok(Calibration { words: shipped.split()?.train, source: shipped.name });
    }
    let words = draw(model)?;
    let number = count(words.len());
    eprintln!("calibrated on {number} words drawn from the model itself; --calibration FILE takes a list");
    Ok(Calibration { words, source: format!("{number} words drawn from the model") })
}

/// Draws words from a model in f32, as `sample --parallel` does.
fn draw(model: &FoldedModel) -> anyhow::Result<Vec<String>> {
    let blob = pack_f32(model)?;
    let model = Model::new(blob.as_bytes())?;
    let mut words = Vec::with_capacity(DRAWN_WORDS);
    words_in_parallel(&model, Sampling::default(), DRAWN_SEED, "", DEFAULT_MAX_LEN, DRAWN_WORDS, |(word, _)| {
        words.push(word);
        ControlFlow::Continue(())
    })?;
    Ok(words)
}

impl Calibration {
    /// Returns contexts `[N, block_size]` (i64) of the words, for the rounding.
    pub fn contexts(&self, model: &FoldedModel) -> anyhow::Result<Tensor> {
        let examples = tensors::examples(model, &self.source, &self.words)
            .context("the rounding is calibrated on words of the model: see --calibration")?;
        Ok(calibration_contexts(&examples))
    }
}
