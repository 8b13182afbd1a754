mod config;
mod places;
mod progress;
mod report;
mod settings;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use exporter::data::Words;
use exporter::io::write::{check_room, check_writable};
use exporter::plot::{RunData, plot_run};
use exporter::train::checkpoint::Checkpoint;
use exporter::train::options::{Interval, Needs, Options, check};
use exporter::train::run::metrics::Row;
use exporter::train::run::{self, RunFolder};
use exporter::train::training::{Outcome, train};

use super::lists::TrainingData;
use super::{INTERRUPTED, quoted, refuse_overwriting, stop_on_interrupt, streams};
use config::{Config, Files};
use progress::Progress;
use report::{relative, report, result};
use settings::Settings;

pub use places::check_name;
pub use settings::preset_names;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: TrainingData,
    /// Write the trained model to this file [default: model.safetensors, with --continue in the folder of --run-dir]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Keep settings, losses, checkpoint and plots in this folder [default: runs/PRESET-seedSEED, with a number
    /// appended if it exists]
    #[arg(long, value_name = "FOLDER")]
    run_dir: Option<PathBuf>,
    /// Continue the training in this folder from its last checkpoint, with its settings; if its list was moved, name
    /// the list with --data
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["text", "dedup", "max_words", "max_characters", "split", "run_dir",
        "preset", "seed", "epochs", "steps", "batch_size", "lr", "weight_decay", "dropout", "look_ahead", "block_size", "n_embd", "n_hidden",
        "levels", "activation", "form", "device", "threads"])]
    resume: Option<PathBuf>,
    /// Continue the run in the folder of --run-dir if there is one, or do nothing if that run is finished. The run must
    /// have the same settings and list; it keeps its number of threads. Write the model to that folder too
    #[arg(long = "continue", requires = "run_dir", conflicts_with = "resume")]
    continues: bool,
    /// Write a checkpoint this often: a number of steps, or a time as in 30s or 5m
    #[arg(long, value_name = "STEPS|TIME", default_value = "30s", value_parser = interval)]
    checkpoint_every: Interval,
    /// Draw no plots at the end
    #[arg(long)]
    no_plots: bool,
    /// Print one JSON object with losses and counts on stdout
    #[arg(long)]
    json: bool,
}

fn interval(text: &str) -> Result<Interval, String> {
    let refused = || "must be a number of steps, or a time as in 30s or 5m".to_owned();
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

/// Upper bound of the plots' size on disk, in bytes.
const PLOT_BYTES: usize = 4 << 20;

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let given = args.data.path();
    let run = args.run_to_continue();
    let (config, files, checkpoint) = match run {
        Some(folder) if args.continues => Config::continued(&args, folder)?,
        Some(folder) => Config::resume(folder, given, args.out.as_deref())?,
        None => {
            let (config, files) = Config::new(&args)?;
            (config, files, None)
        }
    };
    let Files { data, out } = files;
    let mut options = config.settings.options(config.split_rule())?;
    options.check_settings()?;
    if let Some(out) = &out {
        // Fails before the training rather than after it.
        refuse_overwriting(out, &data.as_deref().into_iter().collect::<Vec<_>>())?;
        // The folder of a new run is made later.
        if !args.continues || out.parent() != args.run_dir.as_deref() {
            check_writable(out)?;
        }
    }
    let replaces = out.as_ref().is_some_and(|out| out.exists());
    let words = config.words(data.as_deref(), run, given.is_some() || args.continues)?;
    if let Some(run) = run.filter(|run| args.continues && run::result_path(run).exists()) {
        return already_finished(run, args.json);
    }
    // Checks the settings before the folder is made.
    let needs = check(&words, &options)?;
    let mut folder = open_folder(run, &args, &options, checkpoint.as_ref())?;
    let prepare = || {
        check_space(&folder, out.as_deref(), &needs)?;
        if run.is_none() { config.write(&folder, &options, &words) } else { Ok(()) }
    };
    if let Err(error) = prepare() {
        if run.is_none() {
            folder.abandon();
        }
        return Err(error);
    }
    options.checkpoints = Some((run::checkpoint_path(folder.path()), args.checkpoint_every));

    let outcome = train_and_record(&words, &options, checkpoint.as_ref(), &mut folder)?;
    // The model of an interrupted training must not replace that of a finished one.
    let out = out.map(|out| match outcome.interrupted && replaces {
        true => out.with_extension("interrupted.safetensors"),
        false => out,
    });
    write_model(&outcome, out.as_deref(), &folder)?;
    let result = result(&config.settings, options.architecture.activation, out.as_deref(), &outcome);
    match &out {
        _ if !outcome.interrupted => folder.finish(&result)?,
        Some(out) => eprintln!("interrupted: {} holds the best model so far", relative(out).display()),
        None => eprintln!("interrupted"),
    }
    if !args.no_plots {
        draw(folder.path());
    }
    report(&outcome, out.as_deref(), folder.path(), &words.name);
    if args.json {
        streams::keep(folder.path());
        println!("{result}");
    }
    Ok(if outcome.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// Ends a command with `--continue` whose run is finished.
fn already_finished(run: &Path, json: bool) -> anyhow::Result<ExitCode> {
    eprintln!("the run in {} is finished", quoted(run));
    if json {
        let path = run::result_path(run);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let result: serde_json::Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        println!("{result}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the folder of the run to continue, makes the folder of `--run-dir`, or makes a numbered folder.
fn open_folder(
    run: Option<&Path>,
    args: &Args,
    options: &Options,
    checkpoint: Option<&Checkpoint>,
) -> anyhow::Result<RunFolder> {
    Ok(match (run, &args.run_dir) {
        (Some(path), _) => RunFolder::resume(path, checkpoint.map_or(0, |checkpoint| checkpoint.step))?,
        (None, Some(path)) => RunFolder::create(path)?,
        (None, None) => {
            let name = format!("{}-seed{}", options.preset, options.seed);
            RunFolder::create_numbered(Path::new(run::DEFAULT_PARENT), &name)?
        }
    })
}

/// Fails if the disk has no room for checkpoint, metrics, plots and model.
fn check_space(folder: &RunFolder, out: Option<&Path>, needs: &Needs) -> anyhow::Result<()> {
    // Two checkpoints: the old one stays until the new one is complete.
    folder.check_room(2 * needs.checkpoint_bytes + needs.metrics_bytes + PLOT_BYTES)?;
    if let Some(out) = out {
        check_room(out.parent().unwrap_or(Path::new(".")), needs.checkpoint_bytes)?;
    }
    Ok(())
}

/// Trains, with progress on stderr and metrics in the folder. Training goes on if metrics cannot be written.
fn train_and_record(
    words: &Words,
    options: &Options,
    checkpoint: Option<&Checkpoint>,
    folder: &mut RunFolder,
) -> anyhow::Result<Outcome> {
    let stop = stop_on_interrupt()?;
    let mut view = Progress::default();
    let mut lost = None;
    let outcome = train(words, options, checkpoint, &stop, &mut |event| {
        if let Some(row) = Row::of(&event) {
            lost = folder.record(&row).err().or(lost.take());
        }
        view.show(event);
    })?;
    view.finish();
    if let Some(error) = lost {
        eprintln!("note: some metrics could not be recorded: {error}");
    }
    Ok(outcome)
}

/// Writes the model, and if the training is finished, a copy to the run's folder.
fn write_model(outcome: &Outcome, out: Option<&Path>, folder: &RunFolder) -> anyhow::Result<()> {
    let (Some(model), Some(out)) = (&outcome.model, out) else { return Ok(()) };
    model.write(out)?;
    streams::keep(out);
    let copy = run::model_path(folder.path());
    if !outcome.interrupted && std::path::absolute(&copy)? != std::path::absolute(out)? {
        model.write(&copy)?;
    }
    Ok(())
}

/// Draws the plots of a run. An error is only a note: the model is written, and `plot` can draw them later.
fn draw(run: &Path) {
    if let Err(error) = RunData::read(run).and_then(|data| plot_run(&data, run)) {
        eprintln!("note: the plots could not be drawn: {error}");
    }
}

impl Args {
    /// Returns the folder of `--resume`, or with `--continue` the folder of `--run-dir` if that has a run.
    fn run_to_continue(&self) -> Option<&Path> {
        let continued = || self.run_dir.as_deref().filter(|run| self.continues && run::config_path(run).exists());
        self.resume.as_deref().or_else(continued)
    }

    /// Checks the settings without training.
    pub fn check(&self, words: &Words) -> anyhow::Result<()> {
        check(words, &self.settings.options(self.data.rule())?)?;
        Ok(())
    }

    /// Returns whether a `config.json` has the same settings; the number of threads may differ.
    pub fn has_settings(&self, config: &serde_json::Value) -> bool {
        let recorded = serde_json::from_value::<Config>(config.clone()).ok();
        recorded.zip(Config::new(self).ok()).is_some_and(|(recorded, (own, _))| recorded.differences(&own).is_empty())
    }
}
