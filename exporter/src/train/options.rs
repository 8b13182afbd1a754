//! What to train and how: the options, their limits, and what two trainings must have in common.

use std::path::PathBuf;
use std::time::Duration;

use tch::Device;

use crate::data::{Words, hex};
use crate::model::architecture::Architecture;
use crate::model::file::Origin;
use crate::train::error::TrainError;
use crate::train::nn::Statistics;
use crate::train::recipe::{Form, Length, Optimizer, Recipe, Sampling};

/// What to train, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the preset, for the record.
    pub preset: String,
    /// The network.
    pub architecture: Architecture,
    /// What its BatchNorm takes its statistics over.
    pub statistics: Statistics,
    /// The recipe.
    pub recipe: Recipe,
    /// Seed of weights, batches and dropout. Not of the split, which is always the lecture's.
    pub seed: u64,
    /// Threads of libtorch.
    pub threads: usize,
    /// Where to compute.
    pub device: Device,
    /// Times the dev loss is measured, the last step included.
    pub evaluations: usize,
    /// Where and how often to write down the state, so that nothing is lost.
    pub checkpoints: Option<(PathBuf, Interval)>,
}

/// How often something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Every so many steps.
    Steps(usize),
    /// At the first step after so much time.
    Time(Duration),
}

impl Options {
    /// Refuses a setting that makes no sense; `steps` is what the length comes to.
    pub(super) fn check(&self, steps: usize) -> Result<(), TrainError> {
        let refuse = |message: String| Err(TrainError::Option(message));
        let recipe = &self.recipe;
        if recipe.batch_size < 2 {
            return refuse(format!("batch size {}: BatchNorm needs at least 2 examples", recipe.batch_size));
        }
        if steps == 0 || steps > 100_000_000 {
            return refuse(format!("{steps} steps: there must be 1 to 100,000,000 (see --epochs, --steps)"));
        }
        if !(recipe.lr > 0.0 && recipe.lr.is_finite()) {
            return refuse(format!("learning rate {}: it must be above 0", recipe.lr));
        }
        if !(0.0..1.0).contains(&recipe.dropout) {
            return refuse(format!("dropout {}: it must be at least 0 and below 1", recipe.dropout));
        }
        if let Optimizer::AdamW { weight_decay, .. } = recipe.optimizer
            && !(weight_decay >= 0.0 && weight_decay.is_finite())
        {
            return refuse(format!("weight decay {weight_decay}: it must be at least 0"));
        }
        let per_position = self.statistics == Statistics::BatchOnly;
        if recipe.form == Form::Words && (per_position || recipe.sampling == Sampling::WithReplacement) {
            return refuse(format!("--form words: {} is defined over windows, drawn one by one", self.preset));
        }
        if self.threads == 0 {
            return refuse("0 threads: there must be at least 1".to_owned());
        }
        Ok(())
    }

    /// Returns the origin of a model in the middle of `steps` steps, without losses.
    pub(super) fn origin(&self, words: &Words, steps: usize) -> Origin {
        Origin {
            preset: self.preset.clone(),
            recipe: recipe_json(&self.recipe),
            finetune: String::new(),
            steps,
            seed: self.seed,
            threads: self.threads,
            data_sha256: hex(&words.sha256),
            dedup: words.deduplicated,
            sample: words.sample.map(|sample| sample.words),
            train_nll: None,
            dev_nll: None,
            test_nll: None,
            exporter_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Returns what two trainings must have in common for one to continue the other.
    pub(super) fn fingerprint(&self, words: &Words) -> String {
        let levels: Vec<String> =
            self.architecture.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
        let sample = words.sample.map_or(String::new(), |sample| format!(" a sample of {}", sample.words));
        let words =
            format!("{}{sample}{}", hex(&words.sha256), if words.deduplicated { " without duplicates" } else { "" });
        format!(
            "n_embd {}, levels {} {:?}{}, {:?}, {}, seed {}, {} threads on {:?}, {} evaluations, words {words}, \
             version {}",
            self.architecture.n_embd,
            levels.join(","),
            self.architecture.activation,
            if self.architecture.skip { " skip" } else { "" },
            self.statistics,
            recipe_json(&self.recipe),
            self.seed,
            self.threads,
            self.device,
            self.evaluations,
            env!("CARGO_PKG_VERSION"),
        )
    }
}

/// Steps and disk space that a training will take.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Steps.
    pub steps: usize,
    /// Size of a checkpoint, at most.
    pub checkpoint_bytes: usize,
    /// Size of its metrics, about.
    pub metrics_bytes: usize,
}

/// Finds out without training whether words and options can be used.
///
/// # Errors
/// As [`train`](crate::train::training::train), except for what only training shows.
pub fn check(words: &Words, options: &Options) -> Result<Needs, TrainError> {
    let characters = words.split()?.train.iter().map(|word| word.chars().count() + 1).sum();
    let config = options.architecture.config(words.vocab()?.chars().count())?;
    let steps = options.recipe.length.steps(characters, options.recipe.batch_size);
    options.check(steps)?;
    // Values, two running means each, the best model; names and running statistics are small beside them.
    let checkpoint_bytes = 4 * 4 * config.parameters() * 5 / 4 + (1 << 16);
    Ok(Needs { steps, checkpoint_bytes, metrics_bytes: 12 * steps + (1 << 18) })
}

/// Returns the recipe as the model's file has it.
fn recipe_json(recipe: &Recipe) -> String {
    match recipe.length {
        Length::Epochs(_) => serde_json::to_string(recipe).expect("plain numbers"),
        // With its keys in order: so it was when steps were an option beside the recipe.
        Length::Steps(_) => serde_json::to_value(recipe).expect("plain numbers").to_string(),
    }
}
