use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use exporter::data::{MAX_WORDS, Words, hex};
use exporter::io::write::{check_room, check_writable};
use exporter::model::architecture::{self, Architecture, Levels};
use exporter::model::file::FoldedModel;
use exporter::model::pack::pack_f32;
use exporter::plot::{RunData, plot_run};
use exporter::train::checkpoint::Checkpoint;
use exporter::train::event::Event;
use exporter::train::fold_network::FoldError;
use exporter::train::nn::Statistics;
use exporter::train::options::{Interval, Options};
use exporter::train::preset::{self, DEFAULT_PRESET, PRESETS, Preset};
use exporter::train::recipe::{Form, Length, Optimizer};
use exporter::train::run::metrics::Row;
use exporter::train::run::{self, RunFolder};
use exporter::train::training::{Outcome, train};
use indicatif::{ProgressBar, ProgressStyle};
use runtime::{Activation, Model, Sampling};
use tch::{Cuda, Device};

use super::{DataArgs, INTERRUPTED, count, default_threads, named, quoted, refuse_overwriting, stop_on_interrupt};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Where the trained model goes [default: model.safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Folder that keeps settings, losses, checkpoint and plots [default: runs/PRESET-seedSEED, with a number behind it where that is taken]
    #[arg(long, value_name = "FOLDER")]
    run_dir: Option<PathBuf>,
    /// Continue the training of a folder, with all its settings, from its last checkpoint
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["data", "dedup", "max_words", "run_dir", "preset", "seed", "epochs", "steps",
        "batch_size", "lr", "weight_decay", "dropout", "block_size", "n_embd", "n_hidden", "levels",
        "activation", "form", "device", "threads"])]
    resume: Option<PathBuf>,
    /// How often to write down the state: a number of steps, or a time as in 30s or 5m
    #[arg(long, value_name = "STEPS|TIME", default_value = "30s", value_parser = interval)]
    checkpoint_every: Interval,
    /// No plots at the end
    #[arg(long)]
    no_plots: bool,
    /// One JSON object with losses and counts on stdout
    #[arg(long)]
    json: bool,
}

/// What decides the result, together with the words; kept in `config.json`.
#[derive(clap::Args, Clone, serde::Serialize, serde::Deserialize)]
pub struct Settings {
    /// Network and recipe; the options below change parts of it
    #[arg(long, default_value = DEFAULT_PRESET, value_parser = preset_names())]
    preset: String,
    /// Seed of weights, batches and dropout (the split is always the lecture's)
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[arg(long, conflicts_with = "steps", help = per_preset("Times through the training words", |preset| match preset.recipe.length {
        Length::Epochs(epochs) => Some(epochs),
        Length::Steps(_) => None,
    }))]
    epochs: Option<f64>,
    #[arg(long, help = per_preset("Steps, instead of epochs", |preset| match preset.recipe.length {
        Length::Epochs(_) => None,
        Length::Steps(steps) => Some(steps),
    }))]
    steps: Option<usize>,
    #[arg(long, help = per_preset("Examples per step", |preset| Some(preset.recipe.batch_size)))]
    batch_size: Option<usize>,
    #[arg(long, help = per_preset("Highest learning rate", |preset| Some(preset.recipe.lr)))]
    lr: Option<f64>,
    #[arg(long, help = per_preset("AdamW's weight decay", |preset| match preset.recipe.optimizer {
        Optimizer::AdamW { weight_decay, .. } => Some(weight_decay),
        Optimizer::Sgd => None,
    }))]
    weight_decay: Option<f64>,
    #[arg(long, help = per_preset("Chance that an output of a level is dropped while training", |preset| Some(preset.recipe.dropout)))]
    dropout: Option<f64>,
    #[arg(long, help = per_preset("Context length in characters; the prime factors of another one become its levels", |preset| Some(preset.block_size())))]
    block_size: Option<usize>,
    #[arg(long, help = per_preset("Values per character embedding", |preset| Some(preset.n_embd)))]
    n_embd: Option<usize>,
    #[arg(long, help = per_preset("Values per position after each level", |preset| Some(preset.widths())))]
    n_hidden: Option<usize>,
    /// The levels from the characters up, FUSE:WIDTH each: how many positions it joins, and values per position after it
    #[arg(long, value_name = "FUSE:WIDTH,...", conflicts_with_all = ["block_size", "n_hidden"], value_parser = architecture::levels)]
    #[serde(default)]
    levels: Option<Levels>,
    #[arg(long, value_parser = named(Activation::ALL, Activation::name),
        help = per_preset("Function after each level's linear layer", |preset| Some(preset.activation.name())))]
    #[serde(default)]
    activation: Option<Activation>,
    /// How the tree is evaluated while training: a window per example, or whole words with every node once [default: the
    /// preset's]
    #[arg(long, value_enum)]
    form: Option<FormArg>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceArg::Cpu)]
    device: DeviceArg,
    /// Threads; the same seed and threads give the same bytes [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
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

/// The help of an option whose default is the preset's: with the value of each.
fn per_preset<T: std::fmt::Display>(help: &str, value: impl Fn(&Preset) -> Option<T>) -> String {
    let mut defaults: Vec<(String, Vec<&str>)> = Vec::new();
    // That of the default preset comes first.
    let (default, others): (Vec<_>, Vec<_>) = PRESETS.iter().partition(|preset| preset.name == DEFAULT_PRESET);
    for preset in default.into_iter().chain(others) {
        let Some(value) = value(preset).map(|value| value.to_string()) else { continue };
        match defaults.iter_mut().find(|(known, _)| *known == value) {
            Some((_, names)) => names.push(preset.name),
            None => defaults.push((value, vec![preset.name])),
        }
    }
    // The value of many needs no list of them.
    let most = defaults.iter().map(|(_, names)| names.len()).max().unwrap_or(0);
    let each = |(value, names): &(String, Vec<&str>)| match names.len() {
        n if n > 1 && n == most => format!("{value} for most"),
        _ => format!("{value} for {}", names.join(" and ")),
    };
    format!("{help} [default: {}]", defaults.iter().map(each).collect::<Vec<_>>().join(", "))
}

pub fn preset_names() -> clap::builder::PossibleValuesParser {
    PRESETS.map(|preset| clap::builder::PossibleValue::new(preset.name).help(preset.about)).into()
}

fn interval(text: &str) -> Result<Interval, String> {
    let refused = || "a number of steps, or a time as in 30s or 5m".to_owned();
    let (number, unit) = match text.strip_suffix(['s', 'm']) {
        Some(number) => (number, text.len() - number.len()),
        None => (text, 0),
    };
    let number: u64 = number.parse().map_err(|_| refused())?;
    match (number, unit) {
        (0, _) => Err(refused()),
        (steps, 0) => Ok(Interval::Steps(usize::try_from(steps).map_err(|_| refused())?)),
        (time, _) if text.ends_with('s') => Ok(Interval::Time(Duration::from_secs(time))),
        (time, _) => Ok(Interval::Time(Duration::from_secs(time.saturating_mul(60)))),
    }
}

/// Names drawn at every measurement of the dev loss, always from the same seed, so that one can watch them improve.
const SAMPLES: usize = 6;
/// Where the model goes unless told otherwise.
const DEFAULT_OUT: &str = "model.safetensors";

/// What `config.json` says, as far as `--resume` needs it. Paths are absolute there, and as they were given before.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Config {
    /// None for the shipped list.
    data: Option<PathBuf>,
    dedup: bool,
    #[serde(default = "all_words")]
    max_words: usize,
    /// None for a network that cannot be written.
    out: Option<PathBuf>,
    settings: Settings,
}

/// For runs of before.
fn all_words() -> usize {
    MAX_WORDS
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (config, checkpoint) = match &args.resume {
        Some(folder) => {
            let mut config: Config = serde_json::from_value(run::read_config(folder)?)
                .with_context(|| format!("{} was not written by this program", folder.join("config.json").display()))?;
            if run::result_path(folder).exists() {
                bail!("the run in {} is finished: there is nothing to continue", folder.display());
            }
            if let Some(out) = &args.out {
                config.out = Some(out.clone());
            }
            let path = run::checkpoint_path(folder);
            // Ended before its first checkpoint: then the beginning is where it goes on.
            (config, path.exists().then(|| Checkpoint::read(&path)).transpose()?)
        }
        None => (new_config(&args)?, None),
    };
    let preset = preset::find(&config.settings.preset).context("clap checked the name")?;
    let mut options = options(&config.settings, &preset)?;
    if let Some(out) = &config.out {
        // Before the work, not after it.
        refuse_overwriting(out, &config.data.as_deref().into_iter().collect::<Vec<_>>())?;
        check_writable(out)?;
    }
    let replaces = config.out.as_ref().is_some_and(|out| out.exists());
    let words = DataArgs { data: config.data.clone(), dedup: config.dedup, max_words: config.max_words }.read()?;
    // What can be refused is refused before there is a folder.
    let needed = exporter::train::options::check(&words, &options)?;

    let mut folder = match (&args.resume, &args.run_dir) {
        (Some(path), _) => RunFolder::resume(path, checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step))?,
        (None, Some(path)) => RunFolder::create(path)?,
        (None, None) => {
            let name = format!("{}-seed{}", options.preset, options.seed);
            RunFolder::create_numbered(Path::new(run::DEFAULT_PARENT), &name)?
        }
    };
    // The checkpoint that is replaced stays until the new one is whole; then models, metrics and plots.
    folder.check_room(2 * needed.checkpoint_bytes + needed.metrics_bytes + PLOT_BYTES)?;
    if let Some(out) = &config.out {
        check_room(out.parent().unwrap_or(Path::new(".")), needed.checkpoint_bytes)?;
    }
    if args.resume.is_none() {
        write_config(&folder, &config, &options, &words)?;
    }
    options.checkpoints = Some((run::checkpoint_path(folder.path()), args.checkpoint_every));

    let stop = stop_on_interrupt()?;
    let mut view = Progress::default();
    let mut lost = None;
    let outcome = train(&words, &options, checkpoint.as_ref(), &stop, &mut |event| {
        if let Some(row) = Row::of(&event) {
            lost = folder.record(&row).err().or(lost.take());
        }
        view.show(event);
    })?;
    view.finish();
    if let Some(error) = lost {
        eprintln!("note: metrics are missing: {error}");
    }
    // Half a training must not replace a whole one.
    let out = config.out.map(|out| match outcome.interrupted && replaces {
        true => out.with_extension("interrupted.safetensors"),
        false => out,
    });
    if let (Some(model), Some(out)) = (&outcome.model, &out) {
        model.write(out)?;
        let copy = run::model_path(folder.path());
        if !outcome.interrupted && std::path::absolute(&copy)? != std::path::absolute(out)? {
            model.write(&copy)?;
        }
    }
    let result = result(&config.settings, options.architecture.activation, out.as_deref(), &outcome);
    if outcome.interrupted {
        if let Some(out) = &out {
            eprintln!("interrupted: {} holds the best model so far", relative(out).display());
        } else {
            eprintln!("interrupted");
        }
    } else {
        folder.finish(&result)?;
    }
    if !args.no_plots {
        let run = folder.path();
        if let Err(error) = RunData::read(run).and_then(|data| plot_run(&data, run)) {
            // The model is there; pictures can be drawn again.
            eprintln!("note: no plots: {error}");
        }
    }
    report(&outcome, out.as_deref(), folder.path(), &words.name);
    if args.json {
        println!("{result}");
    }
    Ok(if outcome.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// What `--resume` needs, and what the settings come to.
fn write_config(folder: &RunFolder, config: &Config, options: &Options, words: &Words) -> anyhow::Result<()> {
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
    let mut config = config.clone();
    (config.data, config.out) = (absolute(&config.data)?, absolute(&config.out)?);
    let mut json = serde_json::to_value(config)?;
    json["recipe"] = serde_json::to_value(&options.recipe)?;
    json["levels"] =
        options.architecture.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
    json["n_embd"] = options.architecture.n_embd.into();
    json["activation"] = options.architecture.activation.name().into();
    json["skip"] = options.architecture.skip.into();
    json["steps"] = exporter::train::options::check(words, options)?.steps.into();
    json["data_sha256"] = hex(&words.sha256).into();
    json["exporter_version"] = env!("CARGO_PKG_VERSION").into();
    Ok(folder.write_config(&json)?)
}

impl Args {
    /// Finds out without training whether the settings can be used.
    pub fn check(&self, words: &Words) -> anyhow::Result<()> {
        let preset = preset::find(&self.settings.preset).context("clap checked the name")?;
        exporter::train::options::check(words, &options(&self.settings, &preset)?)?;
        Ok(())
    }

    /// Whether a `config.json` is of the same settings; the number of threads may differ.
    pub fn has_settings(&self, config: &serde_json::Value) -> bool {
        let Ok(config) = serde_json::from_value::<Config>(config.clone()) else { return false };
        let plain = |settings: &Settings| {
            serde_json::to_value(Settings { threads: None, ..settings.clone() }).expect("plain numbers")
        };
        config.dedup == self.data.dedup
            && config.max_words == self.data.max_words
            && plain(&config.settings) == plain(&self.settings)
    }
}

/// Whether a preset's network can be written as a model.
pub fn is_foldable(preset: &str) -> bool {
    preset::find(preset).is_some_and(|preset| preset.statistics == Statistics::BatchAndPositions)
}

/// What plots take at most.
const PLOT_BYTES: usize = 4 << 20;

fn new_config(args: &Args) -> anyhow::Result<Config> {
    let preset = preset::find(&args.settings.preset).context("clap checked the name")?;
    let out = match (&args.out, preset.statistics) {
        (Some(_), Statistics::BatchOnly) => bail!("{} has no model to write: {}", preset.name, FoldError::PerPosition),
        (None, Statistics::BatchOnly) => None,
        (Some(out), _) => Some(out.clone()),
        (None, _) => Some(PathBuf::from(DEFAULT_OUT)),
    };
    let mut settings = args.settings.clone();
    // Written down, so that a training that goes on elsewhere is the same.
    settings.threads = settings.threads.or_else(|| Some(default_threads()));
    Ok(Config { data: args.data.data.clone(), dedup: args.data.dedup, max_words: args.data.max_words, out, settings })
}

fn options(settings: &Settings, preset: &Preset) -> anyhow::Result<Options> {
    let mut recipe = preset.recipe.clone();
    if let Some(epochs) = settings.epochs {
        recipe.length = Length::Epochs(epochs);
    } else if let Some(steps) = settings.steps {
        recipe.length = Length::Steps(steps);
    }
    recipe.batch_size = settings.batch_size.unwrap_or(recipe.batch_size);
    recipe.lr = settings.lr.unwrap_or(recipe.lr);
    recipe.dropout = settings.dropout.unwrap_or(recipe.dropout);
    recipe.form = match settings.form {
        None => recipe.form,
        Some(FormArg::Windows) => Form::Windows,
        Some(FormArg::Words) => Form::Words,
    };
    match (&mut recipe.optimizer, settings.weight_decay) {
        (Optimizer::AdamW { weight_decay, .. }, Some(given)) => *weight_decay = given,
        (Optimizer::Sgd, Some(_)) => bail!("--weight-decay is AdamW's; {} uses SGD", preset.name),
        (_, None) => {}
    }
    let device = match settings.device {
        DeviceArg::Cpu => Device::Cpu,
        DeviceArg::Cuda if Cuda::is_available() => Device::Cuda(0),
        DeviceArg::Cuda => bail!("this libtorch sees no CUDA device; use --device cpu"),
    };
    let mut architecture = match &settings.levels {
        Some(Levels(levels)) => Architecture { levels: levels.clone(), ..preset.changed(None, settings.n_embd, None)? },
        None => preset.changed(settings.block_size, settings.n_embd, settings.n_hidden)?,
    };
    architecture.activation = settings.activation.unwrap_or(preset.activation);
    Ok(Options {
        preset: preset.named(architecture.activation),
        architecture,
        statistics: preset.statistics,
        recipe,
        seed: settings.seed,
        threads: settings.threads.unwrap_or_else(default_threads),
        device,
        evaluations: 20,
        checkpoints: None,
    })
}

/// Progress on stderr: a bar on a terminal, a line per measurement anywhere.
#[derive(Default)]
struct Progress {
    loss: f32,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Start { shapes, parameters, done, steps } => {
                eprint!("{shapes}");
                eprint!("  {} parameters, {} steps", count(parameters), count(steps));
                match done {
                    0 => eprintln!("\n"),
                    done => eprintln!(", {} of them done before\n", count(done)),
                }
                eprintln!("   step   train     dev  drawn so far");
                if std::io::stderr().is_terminal() && !super::is_quiet() {
                    let bar = ProgressBar::new(steps as u64);
                    let template = "{bar:30} {pos}/{len} steps, {per_sec}, loss {msg}, {eta} left";
                    bar.set_style(ProgressStyle::with_template(template).expect("it is well-formed"));
                    bar.enable_steady_tick(Duration::from_millis(200));
                    self.bar = Some(bar);
                }
            }
            Event::Step { step, losses, .. } => {
                self.loss = losses.iter().sum::<f32>() / losses.len() as f32;
                if let Some(bar) = &self.bar {
                    bar.set_position(step as u64);
                    bar.set_message(format!("{:.4}", self.loss));
                }
            }
            Event::Dev { step, nll, model, .. } => {
                let drawn = model.map(samples).unwrap_or_default().join(" ");
                self.line(&format!("{step:>7}  {:.4}  {nll:.4}  {drawn}", self.loss));
            }
            Event::Statistics { .. } | Event::Checkpoint { result: Ok(()), .. } => {}
            Event::Checkpoint { step, result: Err(error) } => {
                self.line(&format!("{step:>7}  no checkpoint: {error}; the last one stays"));
            }
        }
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Names of the model so far, drawn by the code of the chip.
fn samples(model: &FoldedModel) -> Vec<String> {
    let mut names = Vec::new();
    // A model in mid-training may have weights too large for a blob; then there is nothing to show yet.
    if let Ok(blob) = pack_f32(model)
        && let Ok(model) = Model::new(blob.as_bytes())
    {
        let each = |(name, _)| {
            names.push(name);
            ControlFlow::Continue(())
        };
        exporter::inference::sample::words(&model, Sampling::default(), 42, "", 12, SAMPLES, each)
            .expect("no prompt, no error");
    }
    names
}

fn result(settings: &Settings, activation: Activation, out: Option<&Path>, outcome: &Outcome) -> serde_json::Value {
    let [train_words, dev_words, test_words] = outcome.words;
    let [train_characters, dev_characters, test_characters] = outcome.examples;
    let [train_nll, dev_nll, test_nll] = outcome.losses;
    serde_json::json!({
        "model": out.map(relative),
        "preset": settings.preset, "activation": activation.name(), "seed": settings.seed,
        "train_nll": train_nll, "dev_nll": dev_nll, "test_nll": test_nll,
        "train_words": train_words, "dev_words": dev_words, "test_words": test_words,
        "train_characters": train_characters,
        "dev_characters": dev_characters,
        "test_characters": test_characters,
        "parameters": outcome.parameters,
        "steps": outcome.best_step,
        "seconds": outcome.elapsed.as_secs_f64(),
        "interrupted": outcome.interrupted,
    })
}

fn report(outcome: &Outcome, out: Option<&Path>, run: &Path, words: &str) {
    let seconds = outcome.elapsed.as_secs_f64();
    eprintln!("\n         nll     words  characters");
    for (index, split) in ["train", "dev", "test"].iter().enumerate() {
        let (words, characters) = (count(outcome.words[index]), count(outcome.examples[index]));
        eprintln!("{split:<5} {:.4}  {words:>8}  {characters:>10}", outcome.losses[index]);
    }
    let folded = outcome.model.as_ref().map_or(String::new(), |model| {
        let parameters = model.architecture.config(model.vocab_size()).map_or(0, |config| config.parameters());
        format!(" ({} folded)", count(parameters))
    });
    let (parameters, step) = (count(outcome.parameters), count(outcome.best_step));
    eprintln!("{parameters} parameters{folded}, of step {step}, {seconds:.0} s");
    if outcome.interrupted {
        eprintln!("\nto go on: cargo run -p exporter -- train --resume {}", quoted(run));
    }
    match (out, &outcome.model) {
        (Some(out), Some(_)) => {
            let out = relative(out);
            let model = quoted(&out);
            let blob = quoted(&out.with_extension("blob"));
            eprintln!("\nwrote {model}, the run's record is in {}. Next:", quoted(run));
            eprintln!("  cargo run -p exporter -- sample --model {model} -n 20");
            eprintln!("  cargo run -p exporter -- export --model {model} --out {blob}");
            eprintln!("  cargo xtask qemu --model {blob}");
        }
        _ => eprintln!(
            "\nno model of {words} is written, the run's record is in {}: {}",
            quoted(run),
            FoldError::PerPosition
        ),
    }
}

/// A file of the working folder without that folder's path, as it was probably given.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}
