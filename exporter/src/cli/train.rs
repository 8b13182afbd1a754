use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use exporter::architecture::Architecture;
use exporter::file::FoldedModel;
use exporter::pack::pack_f32;
use exporter::preset::{self, DEFAULT_PRESET, PRESETS, Preset};
use exporter::train::{Event, Options, Outcome, train};
use exporter::write::check_writable;
use indicatif::{ProgressBar, ProgressStyle};
use runtime::{Model, Sampling};
use tch::{Cuda, Device};

use super::{DataArgs, INTERRUPTED, count, default_threads, quoted, refuse_overwriting, stop_on_interrupt};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Where the trained model goes
    #[arg(long, value_name = "FILE", default_value = "model.safetensors")]
    out: PathBuf,
    /// Network and recipe; the options below change parts of it
    #[arg(long, default_value = DEFAULT_PRESET, value_parser = preset_names())]
    preset: String,
    /// Seed of weights, batches and dropout (the split is always the lecture's)
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[arg(long, conflicts_with = "steps", help = per_preset("Times through the training words", |preset| preset.recipe.epochs))]
    epochs: Option<f64>,
    /// Steps, instead of epochs
    #[arg(long)]
    steps: Option<usize>,
    #[arg(long, help = per_preset("Examples per step", |preset| preset.recipe.batch_size))]
    batch_size: Option<usize>,
    #[arg(long, help = per_preset("Highest learning rate", |preset| preset.recipe.lr))]
    lr: Option<f64>,
    #[arg(long, help = per_preset("AdamW's weight decay", |preset| preset.recipe.weight_decay))]
    weight_decay: Option<f64>,
    #[arg(long, help = per_preset("Chance that an output of a level is dropped while training", |preset| preset.recipe.dropout))]
    dropout: Option<f64>,
    #[arg(long, help = per_preset("Context length in characters; its prime factors become the levels", |preset| preset.block_size))]
    block_size: Option<usize>,
    #[arg(long, help = per_preset("Values per character embedding", |preset| preset.n_embd))]
    n_embd: Option<usize>,
    #[arg(long, help = per_preset("Values per position after each level", |preset| preset.n_hidden))]
    n_hidden: Option<usize>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceArg::Cpu)]
    device: DeviceArg,
    /// Threads; the same seed and threads give the same bytes [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// One JSON object with losses and counts on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceArg {
    Cpu,
    Cuda,
}

/// The help of an option whose default is the preset's: with the value of each.
fn per_preset<T: std::fmt::Display>(help: &str, value: impl Fn(&Preset) -> T) -> String {
    let defaults: Vec<String> = PRESETS.iter().map(|preset| format!("{} for {}", value(preset), preset.name)).collect();
    format!("{help} [default: {}]", defaults.join(", "))
}

fn preset_names() -> clap::builder::PossibleValuesParser {
    PRESETS.map(|preset| clap::builder::PossibleValue::new(preset.name).help(preset.about)).into()
}

/// Names drawn at every measurement of the dev loss, always from the same seed, so that one can watch them improve.
const SAMPLES: usize = 6;

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let preset = preset::find(&args.preset).context("clap checked the name")?;
    let options = options(&args, &preset)?;
    // Before the work, not after it.
    refuse_overwriting(&args.out, &args.data.data.as_deref().into_iter().collect::<Vec<_>>())?;
    check_writable(&args.out)?;
    let replaces = args.out.exists();
    let words = args.data.read()?;

    let stop = stop_on_interrupt()?;
    let mut view = Progress::default();
    let outcome = train(&words, &options, &stop, &mut |event| view.show(event))?;
    view.finish();
    // Half a training must not replace a whole one.
    let out = if outcome.interrupted && replaces {
        args.out.with_extension("interrupted.safetensors")
    } else {
        args.out.clone()
    };
    outcome.model.write(&out)?;
    if outcome.interrupted {
        eprintln!("interrupted: {} holds the best model so far", out.display());
    }
    report(&args, &out, &outcome)?;
    Ok(if outcome.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

fn options(args: &Args, preset: &Preset) -> anyhow::Result<Options> {
    let mut recipe = preset.recipe.clone();
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.batch_size = args.batch_size.unwrap_or(recipe.batch_size);
    recipe.lr = args.lr.unwrap_or(recipe.lr);
    recipe.weight_decay = args.weight_decay.unwrap_or(recipe.weight_decay);
    recipe.dropout = args.dropout.unwrap_or(recipe.dropout);
    let device = match args.device {
        DeviceArg::Cpu => Device::Cpu,
        DeviceArg::Cuda if Cuda::is_available() => Device::Cuda(0),
        DeviceArg::Cuda => bail!("this libtorch sees no CUDA device; use --device cpu"),
    };
    Ok(Options {
        preset: preset.name.to_owned(),
        architecture: Architecture::tree(
            args.block_size.unwrap_or(preset.block_size),
            args.n_embd.unwrap_or(preset.n_embd),
            args.n_hidden.unwrap_or(preset.n_hidden),
        )?,
        recipe,
        steps: args.steps,
        seed: args.seed,
        threads: args.threads.unwrap_or_else(default_threads),
        device,
        evaluations: 20,
    })
}

/// Progress on stderr: a bar on a terminal, a line per measurement anywhere.
#[derive(Default)]
struct Progress {
    loss: f64,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Start { shapes, parameters, steps } => {
                eprint!("{shapes}");
                eprintln!("  {} parameters, {} steps\n", count(parameters), count(steps));
                eprintln!("   step   train     dev  drawn so far");
                if std::io::stderr().is_terminal() {
                    let bar = ProgressBar::new(steps as u64);
                    let template = "{bar:30} {pos}/{len} steps, {per_sec}, loss {msg}, {eta} left";
                    bar.set_style(ProgressStyle::with_template(template).expect("it is well-formed"));
                    bar.enable_steady_tick(Duration::from_millis(200));
                    self.bar = Some(bar);
                }
            }
            Event::Step { step, loss } => {
                self.loss = loss;
                if let Some(bar) = &self.bar {
                    bar.set_position(step as u64);
                    bar.set_message(format!("{loss:.4}"));
                }
            }
            Event::Dev { step, nll, model } => {
                let line = format!("{step:>7}  {:.4}  {nll:.4}  {}", self.loss, samples(model).join(" "));
                match &self.bar {
                    Some(bar) => bar.println(line),
                    None => eprintln!("{line}"),
                }
            }
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
        exporter::sample::words(&model, Sampling::default(), 42, "", 12, SAMPLES, each).expect("no prompt, no error");
    }
    names
}

fn report(args: &Args, out: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    let origin = &outcome.model.origin;
    let losses = [origin.train_nll, origin.dev_nll, origin.test_nll].map(|nll| nll.unwrap_or(f64::NAN));
    let seconds = outcome.elapsed.as_secs_f64();
    eprintln!("\n         nll     words  characters");
    for (index, split) in ["train", "dev", "test"].iter().enumerate() {
        let (words, characters) = (count(outcome.words[index]), count(outcome.examples[index]));
        eprintln!("{split:<5} {:.4}  {words:>8}  {characters:>10}", losses[index]);
    }
    eprintln!(
        "{} parameters ({} folded), best at step {}, {seconds:.0} s",
        count(outcome.parameters),
        count(folded_parameters(&outcome.model)),
        count(outcome.best_step)
    );
    let model = quoted(out);
    let blob = quoted(&out.with_extension("blob"));
    eprintln!("\nwrote {model}. Next:");
    eprintln!("  cargo run -p exporter -- sample --model {model} -n 20");
    eprintln!("  cargo run -p exporter -- export --model {model} --out {blob}");
    eprintln!("  cargo xtask qemu --model {blob}");
    if args.json {
        let [train_words, dev_words, test_words] = outcome.words;
        let [train_characters, dev_characters, test_characters] = outcome.examples;
        println!(
            "{}",
            serde_json::json!({
                "model": out,
                "train_nll": losses[0], "dev_nll": losses[1], "test_nll": losses[2],
                "train_words": train_words, "dev_words": dev_words, "test_words": test_words,
                "train_characters": train_characters,
                "dev_characters": dev_characters,
                "test_characters": test_characters,
                "parameters": outcome.parameters,
                "steps": outcome.best_step,
                "seconds": seconds,
                "interrupted": outcome.interrupted,
            })
        );
    }
    Ok(())
}

fn folded_parameters(model: &FoldedModel) -> usize {
    model.architecture.config(model.vocab_size()).map_or(0, |config| config.parameters())
}
