//! What to train and how: the options, their limits, and what two trainings must have in common.

use std::path::PathBuf;
use std::time::Duration;

use runtime::Config;
use tch::Device;

use crate::data::{Words, hex};
use crate::io::memory::available_bytes;
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

/// Most steps of a training.
const MAX_STEPS: usize = 100_000_000;
/// Most times through the training split.
const MAX_EPOCHS: f64 = 1e6;
/// Most examples of a step.
const MAX_BATCH_SIZE: usize = 1 << 20;

/// Returns the most threads that make sense here: beyond four for each core they only wait for one another, and tens of
/// thousands are more than a system lends.
pub fn max_threads() -> usize {
    const LEAST: usize = 64;
    std::thread::available_parallelism().map_or(LEAST, |cores| LEAST.max(4 * usize::from(cores)))
}

impl Options {
    /// Refuses a setting that makes no sense; `steps` is what the length comes to.
    pub(super) fn check(&self, steps: usize) -> Result<(), TrainError> {
        self.check_settings()?;
        if steps == 0 || steps > MAX_STEPS {
            let message = format!("{steps} steps: there must be 1 to 100,000,000 (see --epochs, --steps)");
            return Err(TrainError::Option(message));
        }
        Ok(())
    }

    /// Finds out without a list whether the settings can be used.
    ///
    /// # Errors
    /// [`TrainError::Option`] names the setting and its limits.
    pub fn check_settings(&self) -> Result<(), TrainError> {
        let refuse = |message: String| Err(TrainError::Option(message));
        let recipe = &self.recipe;
        match recipe.length {
            Length::Epochs(epochs) if !(epochs > 0.0 && epochs <= MAX_EPOCHS) => {
                return refuse(format!("{epochs} epochs: it must be above 0 and at most {MAX_EPOCHS} (see --epochs)"));
            }
            Length::Steps(0) => return refuse("0 steps: there must be at least 1 (see --steps)".to_owned()),
            _ => {}
        }
        if recipe.batch_size < 2 {
            return refuse(format!("batch size {}: BatchNorm needs at least 2 examples", recipe.batch_size));
        }
        if recipe.batch_size > MAX_BATCH_SIZE {
            return refuse(format!("batch size {}: it must be at most {MAX_BATCH_SIZE}", recipe.batch_size));
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
        let most = max_threads();
        if !(1..=most).contains(&self.threads) {
            return refuse(format!(
                "{} threads: there must be 1 to {most} on this machine (see --threads)",
                self.threads
            ));
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
            max_characters: words.max_characters,
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
        let rare = words.max_characters.map_or(String::new(), |most| format!(" of {most} characters"));
        let twice = if words.deduplicated { " without duplicates" } else { "" };
        let words = format!("{}{sample}{twice}{rare}", hex(&words.sha256));
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

/// Steps, disk space and memory that a training will take.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Steps.
    pub steps: usize,
    /// Size of a checkpoint, at most.
    pub checkpoint_bytes: usize,
    /// Size of its metrics, about.
    pub metrics_bytes: usize,
    /// Memory, at least.
    pub memory_bytes: usize,
}

/// Tensors of a level's output that a step holds at once: before and after BatchNorm and the activation, and gradients.
const TENSORS_OF_A_LEVEL: usize = 6;

/// Returns the memory that a training takes at least, for `characters` examples.
fn memory_bytes(options: &Options, config: &Config, characters: usize) -> usize {
    let batch = options.recipe.batch_size.min(characters);
    let mut positions = config.block_size();
    let mut values = 0_usize;
    for shape in config.shapes() {
        positions /= shape.fuse;
        // Whole words have each node once, windows have all nodes of each tree.
        let nodes = if options.recipe.form == Form::Words { 1 } else { positions };
        values = values.saturating_add(nodes * (shape.fan_in + TENSORS_OF_A_LEVEL * shape.fan_out));
    }
    // Contexts are of 64-bit numbers; values, gradients, two running means and the best model are of 32 bits.
    let contexts = characters.saturating_mul(8 * (config.block_size() + 1));
    batch.saturating_mul(4 * values).saturating_add(contexts).saturating_add(5 * 4 * config.parameters())
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
    let memory_bytes = memory_bytes(options, &config, characters);
    let free = if options.device == Device::Cpu { available_bytes() } else { None };
    if let Some(free) = free.filter(|&free| memory_bytes as u64 > free) {
        let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
        let (needed, free) = (gigabytes(memory_bytes as f64), gigabytes(free as f64));
        let message = format!(
            "this training takes at least {needed} of memory, and {free} are free: a lower --batch-size, --n-hidden \
             or --max-words takes less"
        );
        return Err(TrainError::Option(message));
    }
    Ok(Needs { steps, checkpoint_bytes, metrics_bytes: 12 * steps + (1 << 18), memory_bytes })
}

/// Returns the recipe as the model's file has it.
fn recipe_json(recipe: &Recipe) -> String {
    match recipe.length {
        Length::Epochs(_) => serde_json::to_string(recipe).expect("plain numbers"),
        // With its keys in order: so it was when steps were an option beside the recipe.
        Length::Steps(_) => serde_json::to_value(recipe).expect("plain numbers").to_string(),
    }
}
