//! The settings of a training as options of the command line.

use anyhow::{Context, bail};
use clap::ValueEnum;
use clap::builder::ArgPredicate;
use exporter::data::SplitRule;
use exporter::model::architecture::{self, Architecture, Levels};
use exporter::train::options::Options;
use exporter::train::preset::{self, DEFAULT_PRESET, PRESETS, Preset, TEXT_PRESET};
use exporter::train::recipe::{Form, Keep, Length, Optimizer};
use runtime::Activation;
use tch::{Cuda, Device};

use crate::cli::{default_threads, named};

/// Settings that, together with the words, determine the result; `config.json` records them.
#[derive(clap::Args, Clone, serde::Serialize, serde::Deserialize)]
pub struct Settings {
    /// Train this preset, a network and its recipe; the options below change parts of it
    #[arg(long, default_value = DEFAULT_PRESET, default_value_if("text", ArgPredicate::IsPresent, TEXT_PRESET),
        value_parser = preset_names())]
    pub preset: String,
    /// Draw weights, batches and dropout from this seed (the split does not depend on it)
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    #[arg(long, conflicts_with = "steps",
        help = per_preset("Train for this many passes over the training words", |preset| match preset.recipe.length {
            Length::Epochs(epochs) => Some(epochs),
            Length::Steps(_) => None,
        }))]
    epochs: Option<f64>,
    #[arg(long, help = per_preset("Train for this many steps, instead of epochs", |preset| match preset.recipe.length {
        Length::Epochs(_) => None,
        Length::Steps(steps) => Some(steps),
    }))]
    steps: Option<usize>,
    #[arg(long, help = per_preset("Use this many examples per step", |preset| Some(preset.recipe.batch_size)))]
    batch_size: Option<usize>,
    #[arg(long, help = per_preset("Set the highest learning rate", |preset| Some(preset.recipe.lr)))]
    lr: Option<f64>,
    #[arg(long, help = per_preset("Set AdamW's weight decay", |preset| match preset.recipe.optimizer {
        Optimizer::AdamW { weight_decay, .. } => Some(weight_decay),
        Optimizer::Sgd => None,
    }))]
    weight_decay: Option<f64>,
    #[arg(long, help = per_preset("Drop each output of a level with this probability during training",
        |preset| Some(preset.recipe.dropout)))]
    dropout: Option<f64>,
    #[arg(long, value_name = "WEIGHT", help = per_preset("Predict the character after the next one too, during \
        training; its loss has this weight at the start and none at the end", |preset| Some(preset.recipe.look_ahead)))]
    #[serde(default)]
    look_ahead: Option<f64>,
    #[arg(long, help = per_preset("Set the context length in characters; if it differs from the preset's, the tree gets \
        one level per prime factor", |preset| Some(preset.block_size())))]
    block_size: Option<usize>,
    #[arg(long, help = per_preset("Use this many values per embedding of a character", |preset| Some(preset.n_embd)))]
    n_embd: Option<usize>,
    #[arg(long, help = per_preset("Set the width of all levels: values per node", |preset| Some(preset.widths())))]
    n_hidden: Option<usize>,
    /// Set the levels from the characters up. FUSE is the number of neighbours that a level joins, WIDTH the number of
    /// values per node
    #[arg(long, value_name = "FUSE:WIDTH,...", conflicts_with_all = ["block_size", "n_hidden"],
        value_parser = architecture::levels)]
    #[serde(default)]
    levels: Option<Levels>,
    #[arg(long, value_parser = named(Activation::ALL, Activation::name),
        help = per_preset("Set the function after each level's linear layer", |preset| Some(preset.activation.name())))]
    #[serde(default)]
    activation: Option<Activation>,
    /// Evaluate the tree during training on one window per example, or on whole words with every node once [default:
    /// the preset's]
    #[arg(long, value_enum)]
    form: Option<FormArg>,
    /// Train on this device
    #[arg(long, value_enum, default_value_t = DeviceArg::Cpu)]
    device: DeviceArg,
    /// Use this many threads, at most 64 or four per core, whichever is more. A run with the same seed and number of
    /// threads writes the same bytes [default: one per core]
    #[arg(long)]
    pub threads: Option<usize>,
}

impl Settings {
    /// Returns the settings as `config.json` records them, without the number of threads.
    pub fn without_threads(&self) -> serde_json::Value {
        serde_json::to_value(Self { threads: None, ..self.clone() }).expect("plain numbers")
    }

    /// Returns the options of the training on words split by `rule`. Fails if the preset or the machine does not
    /// support a setting.
    pub fn options(&self, rule: SplitRule) -> anyhow::Result<Options> {
        let preset = preset::find(&self.preset).context("clap checked the name")?;
        let mut recipe = preset.recipe.clone();
        if let Some(epochs) = self.epochs {
            recipe.length = Length::Epochs(epochs);
        } else if let Some(steps) = self.steps {
            recipe.length = Length::Steps(steps);
        }
        recipe.batch_size = self.batch_size.unwrap_or(recipe.batch_size);
        recipe.lr = self.lr.unwrap_or(recipe.lr);
        recipe.dropout = self.dropout.unwrap_or(recipe.dropout);
        recipe.look_ahead = self.look_ahead.unwrap_or(recipe.look_ahead);
        recipe.form = match self.form {
            None => recipe.form,
            Some(FormArg::Windows) => Form::Windows,
            Some(FormArg::Words) => Form::Words,
        };
        if !rule.has_dev_words() {
            // Weights chosen on the test words would have a test loss that is too low.
            recipe.keep = Keep::Last;
            recipe.fit_temperature = false;
        }
        if rule == SplitRule::Text {
            if let Some(FormArg::Windows) = self.form {
                bail!("--form windows does not fit --text: a text is evaluated with every node once");
            }
            recipe.form = Form::Words;
        }
        match (&mut recipe.optimizer, self.weight_decay) {
            (Optimizer::AdamW { weight_decay, .. }, Some(given)) => *weight_decay = given,
            (Optimizer::Sgd, Some(_)) => {
                bail!("--weight-decay is a setting of AdamW, but {} trains with SGD: leave it out", preset.name)
            }
            (_, None) => {}
        }
        let device = match self.device {
            DeviceArg::Cpu => Device::Cpu,
            DeviceArg::Cuda if Cuda::is_available() => Device::Cuda(0),
            DeviceArg::Cuda => bail!("libtorch finds no CUDA device: use --device cpu"),
        };
        let mut architecture = match &self.levels {
            Some(Levels(levels)) => Architecture { levels: levels.clone(), ..preset.changed(None, self.n_embd, None)? },
            None => preset.changed(self.block_size, self.n_embd, self.n_hidden)?,
        };
        architecture.activation = self.activation.unwrap_or(preset.activation);
        Ok(Options {
            preset: preset.named(architecture.activation),
            architecture,
            statistics: preset.statistics,
            recipe,
            seed: self.seed,
            threads: self.threads.unwrap_or_else(default_threads),
            device,
            evaluations: 20,
            checkpoints: None,
        })
    }
}

#[derive(Clone, Copy, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum DeviceArg {
    Cpu,
    Cuda,
}

#[derive(Clone, Copy, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormArg {
    Windows,
    Words,
}

/// Returns the help of an option whose default depends on the preset: each value, and its presets in parentheses.
fn per_preset<T: std::fmt::Display>(help: &str, value: impl Fn(&Preset) -> Option<T>) -> String {
    let mut defaults: Vec<(String, Vec<&str>)> = Vec::new();
    // The value of the default preset comes first.
    let (default, others): (Vec<_>, Vec<_>) = PRESETS.iter().partition(|preset| preset.name == DEFAULT_PRESET);
    for preset in default.into_iter().chain(others) {
        let Some(value) = value(preset).map(|value| value.to_string()) else { continue };
        match defaults.iter_mut().find(|(known, _)| *known == value) {
            Some((_, names)) => names.push(preset.name),
            None => defaults.push((value, vec![preset.name])),
        }
    }
    let each = |(value, names): &(String, Vec<&str>)| match 2 * names.len() > PRESETS.len() {
        true => format!("{value} (most presets)"),
        false => format!("{value} ({})", names.join(", ")),
    };
    format!("{help} [default: {}]", defaults.iter().map(each).collect::<Vec<_>>().join(", "))
}

pub fn preset_names() -> clap::builder::PossibleValuesParser {
    PRESETS.map(|preset| clap::builder::PossibleValue::new(preset.name).help(preset.about)).into()
}
