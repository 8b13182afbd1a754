//! The words on which the rounding of a model is calibrated.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;
use exporter::data::text::passages;
use exporter::data::{MAX_WORDS, SHIPPED_NAME, Words, hex};
use exporter::inference::sample::{text, words_in_parallel};
use exporter::model::file::FoldedModel;
use exporter::model::gptq::calibration_contexts;
use exporter::model::pack::pack_f32;
use exporter::model::tensors;
use runtime::{DEFAULT_MAX_LEN, Model, Sampling};
use tch::Tensor;

use super::count;

/// Number of words to draw from a model without a list: they have about as many contexts as the calibration uses.
const DRAWN_WORDS: usize = 3_000;
/// Number of characters to draw from a model of text.
const DRAWN_CHARACTERS: usize = 20_000;
/// Seed of the drawn words: the same model draws the same words.
const DRAWN_SEED: u64 = 42;

/// Words to calibrate on, and their source.
pub struct Calibration {
    pub words: Vec<String>,
    /// Name of the source in messages.
    pub source: String,
}

/// Returns the words to calibrate on.
///
/// These are the train split of `list`; without a list, the train split of the shipped list if the model was trained on
/// it, otherwise words drawn from the model. Without a list, a note on stderr names the source.
pub fn words(list: Option<&Path>, model: &FoldedModel) -> anyhow::Result<Calibration> {
    if let Some(list) = list {
        if model.is_of_text() {
            let text = super::lists::text(list)?;
            return Ok(Calibration { words: passages(&text.split()?.train[0]), source: text.name });
        }
        let mut words = super::list(Some(list), MAX_WORDS)?;
        if hex(&words.sha256) == model.origin.data_sha256 {
            // Drops the words that the training dropped: see `train --max-characters`.
            words.keep_known(&model.vocab);
            words.split_rule = Some(model.origin.split);
        }
        return Ok(Calibration { words: words.split()?.train, source: words.name });
    }
    let mut shipped = Words::shipped()?;
    if model.origin.data_sha256 == hex(&shipped.sha256) {
        shipped.split_rule = Some(model.origin.split);
        eprintln!("calibrated on {SHIPPED_NAME}, the list that the model was trained on");
        return Ok(Calibration { words: shipped.split()?.train, source: shipped.name });
    }
    if model.is_of_text() {
        eprintln!("calibrated on a text drawn from the model; to use the text of the training: --calibration FILE");
        return Ok(Calibration {
            words: passages(&draw_text(model)?),
            source: "a text drawn from the model".to_owned(),
        });
    }
    let words = draw(model)?;
    let number = count(words.len());
    eprintln!("calibrated on {number} words drawn from the model; to use a word list: --calibration FILE");
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

/// Draws a text from a model in f32, as `sample` does.
fn draw_text(model: &FoldedModel) -> anyhow::Result<String> {
    let blob = pack_f32(model)?;
    let mut drawn = String::new();
    text(&Model::new(blob.as_bytes())?, Sampling::default(), DRAWN_SEED, "", DRAWN_CHARACTERS, |character| {
        drawn.push(character);
        ControlFlow::Continue(())
    })?;
    Ok(drawn)
}

impl Calibration {
    /// Returns contexts of the words, `[N, block_size]` (i64).
    pub fn contexts(&self, model: &FoldedModel) -> anyhow::Result<Tensor> {
        let examples = tensors::examples(model, &self.source, &self.words)
            .context("calibration needs words in the model's characters: name a list with --calibration FILE")?;
        Ok(calibration_contexts(&examples))
    }
}
