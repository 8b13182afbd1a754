//! `config.json`: the settings of a run, as `--resume` and `sweep` read them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use exporter::data::{MAX_WORDS, Words, hex};
use exporter::train::checkpoint::Checkpoint;
use exporter::train::fold_network::FoldError;
use exporter::train::nn::Statistics;
use exporter::train::options::{Options, check};
use exporter::train::preset;
use exporter::train::run::{self, RunFolder};

use super::Args;
use super::settings::Settings;
use crate::cli::{DataArgs, default_threads};

/// Where the model goes unless told otherwise.
const DEFAULT_OUT: &str = "model.safetensors";

/// The fields of `config.json` that `--resume` reads. Paths in it are absolute; earlier versions kept them as given.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// None for the shipped list.
    pub data: Option<PathBuf>,
    dedup: bool,
    #[serde(default = "all_words")]
    max_words: usize,
    /// None for a network that cannot be written.
    pub out: Option<PathBuf>,
    pub settings: Settings,
}

/// The default for runs of before.
fn all_words() -> usize {
    MAX_WORDS
}

impl Config {
    /// Returns what the command line asks for.
    pub fn new(args: &Args) -> anyhow::Result<Self> {
        let preset = preset::find(&args.settings.preset).context("clap checked the name")?;
        let out = match (&args.out, preset.statistics) {
            (Some(_), Statistics::BatchOnly) => {
                bail!("{} has no model to write: {}", preset.name, FoldError::PerPosition)
            }
            (None, Statistics::BatchOnly) => None,
            (Some(out), _) => Some(out.clone()),
            (None, _) => Some(PathBuf::from(DEFAULT_OUT)),
        };
        let mut settings = args.settings.clone();
        // Written down, so that a training that goes on elsewhere is the same.
        settings.threads = settings.threads.or_else(|| Some(default_threads()));
        let DataArgs { data, dedup, max_words } = &args.data;
        Ok(Self { data: data.clone(), dedup: *dedup, max_words: *max_words, out, settings })
    }

    /// Reads the settings of a run and its last checkpoint, if it has one. `out` replaces where the model goes.
    pub fn resume(folder: &Path, out: Option<&Path>) -> anyhow::Result<(Self, Option<Checkpoint>)> {
        let mut config: Self = serde_json::from_value(run::read_config(folder)?)
            .with_context(|| format!("{} was not written by this program", folder.join("config.json").display()))?;
        if run::result_path(folder).exists() {
            bail!("the run in {} is finished: there is nothing to continue", folder.display());
        }
        if let Some(out) = out {
            config.out = Some(out.to_owned());
        }
        let path = run::checkpoint_path(folder);
        // Ended before its first checkpoint: then the beginning is where it goes on.
        let checkpoint = path.exists().then(|| Checkpoint::read(&path)).transpose()?;
        Ok((config, checkpoint))
    }

    /// Returns the words as the command line would name them.
    pub fn words(&self) -> DataArgs {
        DataArgs { data: self.data.clone(), dedup: self.dedup, max_words: self.max_words }
    }

    /// Writes what `--resume` needs, and what the settings come to.
    pub fn write(&self, folder: &RunFolder, options: &Options, words: &Words) -> anyhow::Result<()> {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
        let mut config = self.clone();
        (config.data, config.out) = (absolute(&config.data)?, absolute(&config.out)?);
        let mut json = serde_json::to_value(config)?;
        json["recipe"] = serde_json::to_value(&options.recipe)?;
        json["levels"] =
            options.architecture.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
        json["n_embd"] = options.architecture.n_embd.into();
        json["activation"] = options.architecture.activation.name().into();
        json["skip"] = options.architecture.skip.into();
        json["steps"] = check(words, options)?.steps.into();
        json["data_sha256"] = hex(&words.sha256).into();
        json["exporter_version"] = env!("CARGO_PKG_VERSION").into();
        Ok(folder.write_config(&json)?)
    }

    /// Returns whether a run has the settings of a command line; the number of threads may differ.
    pub fn is_of(&self, args: &Args) -> bool {
        self.dedup == args.data.dedup
            && self.max_words == args.data.max_words
            && self.settings.without_threads() == args.settings.without_threads()
    }
}
