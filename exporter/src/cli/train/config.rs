//! `config.json`: the settings of a run, as `--resume`, `--continue` and `sweep` read them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use exporter::data::{MAX_WORDS, SplitRule, Words, hex};
use exporter::train::checkpoint::Checkpoint;
use exporter::train::fold_network::FoldError;
use exporter::train::nn::Statistics;
use exporter::train::options::{Options, check};
use exporter::train::preset;
use exporter::train::run::{self, RunFolder};
use serde_json::{Map, Value};

use super::Args;
use super::places::{Place, check_name};
use super::settings::Settings;
use crate::cli::lists::{DataArgs, TrainingData};
use crate::cli::{default_threads, quoted};

/// File of the model if `--out` names none.
const DEFAULT_OUT: &str = "model.safetensors";

/// The fields of `config.json` that `--resume` reads.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// `None` for the shipped list.
    data: Option<Place>,
    dedup: bool,
    #[serde(default = "all_words")]
    max_words: usize,
    #[serde(default)]
    max_characters: Option<usize>,
    /// `None` for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split: Option<SplitRule>,
    /// `None` for a network that cannot be written as a model.
    out: Option<Place>,
    pub settings: Settings,
    /// SHA-256 of the list; `None` until the list is read.
    #[serde(default)]
    data_sha256: Option<String>,
}

/// Default of `max_words` for runs of versions that did not record it.
fn all_words() -> usize {
    MAX_WORDS
}

/// Paths of a training: the list and the model.
pub struct Files {
    /// `None` for the shipped list.
    pub data: Option<PathBuf>,
    /// `None` for a network that cannot be written as a model.
    pub out: Option<PathBuf>,
}

impl Config {
    /// Returns the settings and files of a new run.
    pub fn new(args: &Args) -> anyhow::Result<(Self, Files)> {
        let preset = preset::find(&args.settings.preset).context("clap checked the name")?;
        let out = match (&args.out, preset.statistics) {
            (Some(_), Statistics::BatchOnly) => {
                bail!("leave out --out, {} cannot be written as a model: {}", preset.name, FoldError::PerPosition)
            }
            (None, Statistics::BatchOnly) => None,
            (Some(out), _) => Some(out.clone()),
            (None, _) => match &args.run_dir {
                Some(run) if args.continues => Some(run::model_path(run)),
                _ => Some(PathBuf::from(DEFAULT_OUT)),
            },
        };
        let TrainingData { list: DataArgs { dedup, max_words, .. }, max_characters, text } = &args.data;
        let data = args.data.path().map(Path::to_owned);
        check_name(if text.is_some() { "--text" } else { "--data" }, data.as_deref())?;
        let mut settings = args.settings.clone();
        // Recorded, so that a training that continues on another machine uses the same number.
        settings.threads = settings.threads.or_else(|| Some(default_threads()));
        let config = Self {
            data: data.clone().map(Place::Given),
            dedup: *dedup,
            max_words: *max_words,
            max_characters: *max_characters,
            // The default is left out, so that two ways to ask for it are one run.
            split: Some(args.data.rule()).filter(|&rule| rule != SplitRule::default()),
            out: out.clone().map(Place::Given),
            settings,
            data_sha256: None,
        };
        Ok((config, Files { data, out }))
    }

    /// Reads the settings of a run and its last checkpoint, if it has one. `data` and `out` replace the recorded paths
    /// of the list and the model.
    pub fn resume(
        folder: &Path,
        data: Option<&Path>,
        out: Option<&Path>,
    ) -> anyhow::Result<(Self, Files, Option<Checkpoint>)> {
        let config = Self::read(folder)?;
        if run::result_path(folder).exists() {
            bail!("the run in {} is finished: there is nothing to continue", folder.display());
        }
        let files = config.files(folder, data, out)?;
        let checkpoint = last_checkpoint(folder)?;
        Ok((config, files, checkpoint))
    }

    /// Reads the settings and the last checkpoint of the run that a command with `--continue` found in `folder`. The
    /// files are those of the command. Fails if the command has other settings.
    pub fn continued(args: &Args, folder: &Path) -> anyhow::Result<(Self, Files, Option<Checkpoint>)> {
        let (given, files) = Self::new(args)?;
        let config = Self::read(folder)?;
        let differences = config.differences(&given);
        if !differences.is_empty() {
            let differences = differences.join(", ");
            bail!("{} holds a run with other settings ({differences}): choose another --run-dir", quoted(folder));
        }
        if let Some((given, recorded)) = args.settings.threads.zip(config.settings.threads)
            && given != recorded
        {
            eprintln!("the run in {} keeps its number of threads: {recorded}", quoted(folder));
        }
        // The checkpoint of a finished run is not needed, and may be gone.
        let is_finished = run::result_path(folder).exists();
        let checkpoint = if is_finished { None } else { last_checkpoint(folder)? };
        Ok((config, files, checkpoint))
    }

    fn read(folder: &Path) -> anyhow::Result<Self> {
        serde_json::from_value(run::read_config(folder)?)
            .with_context(|| format!("{} was not written by this program", run::config_path(folder).display()))
    }

    /// Finds the files of a run. The run may have been moved, with or without the files.
    fn files(&self, folder: &Path, data: Option<&Path>, out: Option<&Path>) -> anyhow::Result<Files> {
        let mut is_moved_alone = false;
        let data = match (data, &self.data) {
            (Some(data), _) => Some(data.to_owned()),
            (None, None) => None,
            (None, Some(place)) => {
                let candidates = place.candidates(folder);
                let Some(at) = candidates.iter().position(|path| path.exists()) else {
                    let (run, list) = (quoted(folder), quoted(&candidates[0]));
                    bail!("the run in {run} needs its list, which is not at {list}: name it with --data FILE");
                };
                is_moved_alone = at > 0;
                candidates.into_iter().nth(at)
            }
        };
        let out = match (out, &self.out) {
            (Some(out), _) => Some(out.to_owned()),
            (None, None) => None,
            (None, Some(place)) => {
                let mut candidates = place.candidates(folder);
                if is_moved_alone {
                    candidates.reverse();
                }
                let has_folder = |path: &&PathBuf| path.parent().is_some_and(Path::is_dir);
                let found = candidates.iter().find(has_folder).or(candidates.first());
                if candidates.len() > 1
                    && let Some(found) = found
                {
                    eprintln!("the run was moved: it will write its model to {}; to change that: --out", quoted(found));
                }
                found.cloned()
            }
        };
        Ok(Files { data, out })
    }

    /// Reads the words of the list at `data`. `run` is the folder of a run to continue: its list must be unchanged.
    pub fn words(&self, data: Option<&Path>, run: Option<&Path>, is_given: bool) -> anyhow::Result<Words> {
        let data = data.map(Path::to_owned);
        let (data, split, text) = match self.split {
            Some(SplitRule::Text) => (None, None, data),
            split => (data, split, None),
        };
        let list = DataArgs { data, dedup: self.dedup, max_words: self.max_words, split };
        let words = TrainingData { list, max_characters: self.max_characters, text }.read()?;
        let Some((run, sha256)) = run.zip(self.data_sha256.as_deref()) else { return Ok(words) };
        if hex(&words.sha256) != sha256 {
            let (run, name) = (quoted(run), &words.name);
            match is_given {
                true => bail!(
                    "{name} is not the list that the run in {run} started with: name that list with --data FILE, or \
                     start a new run in another folder"
                ),
                false => bail!(
                    "{name} has changed since the run in {run} started: name an unchanged copy with --data FILE, or \
                     start a new run in another folder"
                ),
            }
        }
        Ok(words)
    }

    /// Writes `config.json`: the fields that `--resume` reads, and the values that follow from them.
    pub fn write(&self, folder: &RunFolder, options: &Options, words: &Words) -> anyhow::Result<()> {
        let recorded = |place: &Option<Place>| place.as_ref().map(|place| place.recorded(folder.path())).transpose();
        let mut config = self.clone();
        (config.data, config.out) = (recorded(&config.data)?, recorded(&config.out)?);
        config.data_sha256 = Some(hex(&words.sha256));
        let mut json = serde_json::to_value(config)?;
        json["recipe"] = serde_json::to_value(&options.recipe)?;
        json["levels"] =
            options.architecture.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
        json["n_embd"] = options.architecture.n_embd.into();
        json["activation"] = options.architecture.activation.name().into();
        json["skip"] = options.architecture.skip.into();
        json["steps"] = check(words, options)?.steps.into();
        json["exporter_version"] = env!("CARGO_PKG_VERSION").into();
        Ok(folder.write_config(&json)?)
    }

    /// Returns the rule that splits the list.
    pub fn split_rule(&self) -> SplitRule {
        self.split.unwrap_or_default()
    }

    /// Returns the settings that differ between a run and a command, by option. The number of threads may differ.
    pub fn differences(&self, command: &Self) -> Vec<String> {
        let (recorded, given) = (self.by_option(), command.by_option());
        let differing = recorded.iter().filter(|(key, value)| given[*key] != **value);
        let describe = |(key, value): (&String, &Value)| {
            format!("--{} is {} there and {} here", key.replace('_', "-"), in_words(value), in_words(&given[key]))
        };
        differing.map(describe).collect()
    }

    /// Returns the settings of the run and of its list by the names of their options, without the number of threads.
    fn by_option(&self) -> Map<String, Value> {
        let Value::Object(mut settings) = self.settings.without_threads() else { unreachable!("a struct") };
        settings.insert("dedup".to_owned(), self.dedup.into());
        settings.insert("max_words".to_owned(), self.max_words.into());
        settings.insert("max_characters".to_owned(), self.max_characters.into());
        settings.insert("split".to_owned(), self.split_rule().name().into());
        settings
    }
}

/// Returns the value of an option as one writes it.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "not given".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads the last checkpoint of a run; `None` if the run ended before its first checkpoint.
fn last_checkpoint(folder: &Path) -> anyhow::Result<Option<Checkpoint>> {
    let path = run::checkpoint_path(folder);
    Ok(path.exists().then(|| Checkpoint::read(&path)).transpose()?)
}
