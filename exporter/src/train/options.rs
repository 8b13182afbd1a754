//! The options of a training, their limits, and the fingerprint by which a training recognises its checkpoint.

use std::path::PathBuf;
use std::time::Duration;

use runtime::Config;
use tch::Device;

use crate::data::{SplitRule, Words, hex};
use crate::io::memory::available_bytes;
use crate::model::architecture::Architecture;
use crate::model::file::Origin;
use crate::train::error::TrainError;
use crate::train::nn::Statistics;
use crate::train::recipe::{Form, Length, Optimizer, Recipe, Sampling};

/// Options of a training.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the preset, for the model's file.
    pub preset: String,
    /// The network.
    pub architecture: Architecture,
    /// Dimensions over which BatchNorm takes its statistics.
    pub statistics: Statistics,
    /// The recipe.
    pub recipe: Recipe,
    /// Seed of weights, batches and dropout. The split does not depend on it.
    pub seed: u64,
    /// Number of libtorch's threads.
    pub threads: usize,
    /// Device of the network.
    pub device: Device,
    /// Number of measurements of the dev loss, the last step included.
    pub evaluations: usize,
    /// File of the checkpoint and interval between two checkpoints; `None` for no checkpoints.
    pub checkpoints: Option<(PathBuf, Interval)>,
}

/// Interval between two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Number of steps.
    Steps(usize),
    /// Time; the checkpoint follows at the end of the step.
    Time(Duration),
}

/// Largest number of steps.
const MAX_STEPS: usize = 100_000_000;
/// Largest number of passes over the training split.
const MAX_EPOCHS: f64 = 1e6;
/// Largest number of examples per step.
const MAX_BATCH_SIZE: usize = 1 << 20;

/// Returns the largest sensible number of threads on this machine. More than four per core only wait for each other,
/// and systems refuse tens of thousands.
pub fn max_threads() -> usize {
    const LEAST: usize = 64;
    std::thread::available_parallelism().map_or(LEAST, |cores| LEAST.max(4 * usize::from(cores)))
}

impl Options {
    /// Fails if a setting is outside its limits or does not fit the words; `steps` is the number of steps.
    pub(super) fn check(&self, words: &Words, steps: usize) -> Result<(), TrainError> {
        self.check_settings()?;
        if self.recipe.fit_temperature && !words.rule().has_dev_words() {
            let message = "the temperature is fitted to the dev words, which are the test words of this split: set \
                           fit_temperature to false";
            return Err(TrainError::Option(message.to_owned()));
        }
        if steps == 0 || steps > MAX_STEPS {
            let message = format!("{steps} steps: the number must be 1 to 100,000,000 (see --epochs, --steps)");
            return Err(TrainError::Option(message));
        }
        Ok(())
    }

    /// Checks the settings that do not depend on a list.
    ///
    /// # Errors
    /// [`TrainError::Option`] names the setting and its limits.
    pub fn check_settings(&self) -> Result<(), TrainError> {
        let refuse = |message: String| Err(TrainError::Option(message));
        let recipe = &self.recipe;
        match recipe.length {
            Length::Epochs(epochs) if !(epochs > 0.0 && epochs <= MAX_EPOCHS) => {
                return refuse(format!("--epochs {epochs}: must be above 0 and at most {MAX_EPOCHS}"));
            }
            Length::Steps(0) => return refuse("--steps 0: must be at least 1".to_owned()),
            _ => {}
        }
        if recipe.batch_size < 2 {
            return refuse(format!("--batch-size {}: must be at least 2, for BatchNorm", recipe.batch_size));
        }
        if recipe.batch_size > MAX_BATCH_SIZE {
            return refuse(format!("--batch-size {}: must be at most {MAX_BATCH_SIZE}", recipe.batch_size));
        }
        if !(recipe.lr > 0.0 && recipe.lr.is_finite()) {
            return refuse(format!("--lr {}: must be above 0", recipe.lr));
        }
        if !(0.0..1.0).contains(&recipe.dropout) {
            return refuse(format!("--dropout {}: must be at least 0 and below 1", recipe.dropout));
        }
        if !(recipe.look_ahead >= 0.0 && recipe.look_ahead.is_finite()) {
            return refuse(format!("--look-ahead {}: must be at least 0", recipe.look_ahead));
        }
        if recipe.look_ahead > 0.0 && recipe.form == Form::Windows {
            return refuse(format!(
                "--look-ahead {}: windows do not know the character after the next one: use --look-ahead 0, or --form \
                 words",
                recipe.look_ahead
            ));
        }
        if let Optimizer::AdamW { weight_decay, .. } = recipe.optimizer
            && !(weight_decay >= 0.0 && weight_decay.is_finite())
        {
            return refuse(format!("--weight-decay {weight_decay}: must be at least 0"));
        }
        let per_position = self.statistics == Statistics::BatchOnly;
        if recipe.form == Form::Words && (per_position || recipe.sampling == Sampling::WithReplacement) {
            return refuse(format!(
                "--form words does not fit {}, whose examples are windows drawn one by one: use --form windows",
                self.preset
            ));
        }
        let most = max_threads();
        if !(1..=most).contains(&self.threads) {
            return refuse(format!("--threads {}: must be 1 to {most} on this machine", self.threads));
        }
        Ok(())
    }

    /// Returns the origin of a model of a training of `steps` steps, without losses.
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
            split: words.rule(),
            train_nll: None,
            dev_nll: None,
            test_nll: None,
            exporter_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Returns the settings and the words in one line. A training can continue a checkpoint with an equal line.
    pub(super) fn fingerprint(&self, words: &Words) -> String {
        let levels: Vec<String> =
            self.architecture.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
        let sample = words.sample.map_or(String::new(), |sample| format!(" a sample of {}", sample.words));
        let rare = words.max_characters.map_or(String::new(), |most| format!(" of {most} characters"));
        let twice = if words.deduplicated { " without duplicates" } else { "" };
        let split = match words.rule() {
            SplitRule::Lecture => String::new(),
            SplitRule::Text => " as a text".to_owned(),
            rule => format!(" split as {}", rule.name()),
        };
        let words = format!("{}{sample}{twice}{rare}{split}", hex(&words.sha256));
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

/// Steps, disk space and memory that a training needs.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Number of steps.
    pub steps: usize,
    /// Maximum size of a checkpoint.
    pub checkpoint_bytes: usize,
    /// Approximate size of the metrics.
    pub metrics_bytes: usize,
    /// Minimum memory.
    pub memory_bytes: usize,
}

/// Number of tensors of a level's size that a step holds: before and after BatchNorm and the activation, and gradients.
const TENSORS_OF_A_LEVEL: usize = 6;

/// Returns the minimum memory of a training with `characters` examples, in bytes.
fn memory_bytes(options: &Options, config: &Config, characters: usize, is_text: bool) -> usize {
    let batch = options.recipe.batch_size.min(characters);
    let mut positions = config.block_size();
    let mut values = 0_usize;
    for shape in config.shapes() {
        positions /= shape.fuse;
        // Whole words compute each node once, windows all nodes of each tree.
        let nodes = if options.recipe.form == Form::Words { 1 } else { positions };
        values = values.saturating_add(nodes * (shape.fan_in + TENSORS_OF_A_LEVEL * shape.fan_out));
    }
    // Contexts have 64-bit numbers; values, gradients, two running means and the best model have 32-bit numbers. A text
    // has tokens of 8 bits instead of contexts.
    let bytes = if is_text { 1 } else { 8 * (config.block_size() + 1) };
    let contexts = characters.saturating_mul(bytes);
    batch.saturating_mul(4 * values).saturating_add(contexts).saturating_add(5 * 4 * config.parameters())
}

/// Checks words and options without training, and returns the needs of the training.
///
/// # Errors
/// Errors of [`train`](crate::train::training::train) that can be found without training.
pub fn check(words: &Words, options: &Options) -> Result<Needs, TrainError> {
    let ends = usize::from(!words.is_text());
    let characters = words.split()?.train.iter().map(|word| word.chars().count() + ends).sum();
    let config = options.architecture.config(words.vocab()?.chars().count())?;
    let steps = options.recipe.length.steps(characters, options.recipe.batch_size);
    options.check(words, steps)?;
    // Values, two running means each, and the best model, plus a quarter for names and running statistics.
    let checkpoint_bytes = 4 * 4 * config.parameters() * 5 / 4 + (1 << 16);
    let memory_bytes = memory_bytes(options, &config, characters, words.is_text());
    let free = if options.device == Device::Cpu { available_bytes() } else { None };
    if let Some(free) = free.filter(|&free| memory_bytes as u64 > free) {
        let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
        let (needed, free) = (gigabytes(memory_bytes as f64), gigabytes(free as f64));
        let message = format!(
            "this training needs at least {needed} of memory, but only {free} are free: lower --batch-size, --n-hidden \
             or --max-words"
        );
        return Err(TrainError::Option(message));
    }
    Ok(Needs { steps, checkpoint_bytes, metrics_bytes: 12 * steps + (1 << 18), memory_bytes })
}

/// Returns the recipe in the form of the model's file.
fn recipe_json(recipe: &Recipe) -> String {
    match recipe.length {
        Length::Epochs(_) => serde_json::to_string(recipe).expect("plain numbers"),
        // Sorts the keys, as before the length was part of the recipe: such a training still writes the same file.
        Length::Steps(_) => serde_json::to_value(recipe).expect("plain numbers").to_string(),
    }
}
