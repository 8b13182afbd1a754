//! The command line: one file per command.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether `--quiet` was given.
static QUIET: AtomicBool = AtomicBool::new(false);

#[path = "../../xtask/src/streams.rs"]
#[allow(dead_code, reason = "xtask uses the rest")]
pub mod streams;

// These macros replace the library's own, which panic if a write fails. A command's result
// goes to stdout, or, where it is a table, through `show!`. `eprintln!` and `eprint!` are for progress and notes, which
// --quiet leaves out.
macro_rules! println {
    () => { $crate::cli::streams::result(format_args!("\n")) };
    ($($argument:tt)*) => { $crate::cli::streams::result(format_args!("{}\n", format_args!($($argument)*))) };
}
macro_rules! print {
    ($($argument:tt)*) => { $crate::cli::streams::result(format_args!($($argument)*)) };
}
macro_rules! eprintln {
    () => { eprint!("\n") };
    ($($argument:tt)*) => { eprint!("{}\n", format_args!($($argument)*)) };
}
macro_rules! eprint {
    ($($argument:tt)*) => { if !$crate::cli::is_quiet() { $crate::cli::streams::note(format_args!($($argument)*)) } };
}
/// A line of a table, on stderr: stdout is for `--json`.
macro_rules! show {
    ($($argument:tt)*) => { show_part!("{}\n", format_args!($($argument)*)) };
}
/// A part of a line of a table.
macro_rules! show_part {
    ($($argument:tt)*) => { $crate::cli::streams::table(format_args!($($argument)*)) };
}

mod activations;
mod bench;
mod calibration;
mod complete;
mod completions;
mod eval;
mod export;
mod finetune;
mod import;
mod inspect;
mod limits;
mod lists;
mod man;
mod paths;
mod plot;
mod presets;
mod race;
mod sample;
mod score;
mod stop;
mod sweep;
mod train;
mod validate;

use std::path::Path;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use exporter::io::shell::quoted;
use lists::{DataArgs, list, read_words};
use stop::{INTERRUPTED, stop_on_interrupt};

/// Trains a hierarchical character model and packs it for a microcontroller.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    /// No progress and no notes on stderr: results and errors alone
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model on a list of words and write it, folded, as safetensors
    Train(Box<train::Args>),
    /// Train a grid of settings and seeds, and rank what came of it
    Sweep(sweep::Args),
    /// Time our training to the lecture's loss against a plain loop of the lecture's
    #[command(hide = true)]
    Race(race::Args),
    /// Draw what trainings have recorded, as SVG and PNG
    Plot(plot::Args),
    /// List the presets: networks and how they are trained
    Presets(presets::Args),
    /// Train a model on with the rounding of four-bit weights, so that it learns to live with it
    Finetune(finetune::Args),
    /// Read a PyTorch state_dict, fold its BatchNorms and write it as a model of this program
    Import(import::Args),
    /// Pack a model for the chip
    Export(export::Args),
    /// Measure the loss of a model, or compare several on the same words
    Eval(eval::Args),
    /// Show where a blob loses accuracy, level by level, or hold a model against PyTorch's logits
    Validate(validate::Args),
    /// Draw words from a model, as the chip would
    Sample(sample::Args),
    /// List the most probable words that begin with a prefix, exactly
    Complete(complete::Args),
    /// Say how probable a model finds words, and how they stand among those of a list
    Score(score::Args),
    /// Draw the tree of a word with what every node of it computes
    Activations(activations::Args),
    /// Show what a model is made of, and what it will take on a chip
    Inspect(inspect::Args),
    /// Measure how fast this computer draws words: the runtime next to libtorch
    Bench(bench::Args),
    /// Write a shell's script for completing these commands
    Completions(completions::Args),
    /// Write the manual pages of these commands
    Man(man::Args),
}

/// Runs the command of the command line.
pub fn run() -> anyhow::Result<ExitCode> {
    let parsed = Cli::command().try_get_matches().and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Ok(print_clap(&error)),
    };
    paths::check(&Cli::command(), &matches)?;
    QUIET.store(cli.quiet, Ordering::Relaxed);
    match cli.command {
        Command::Train(args) => train::run(*args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Race(args) => race::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Presets(args) => presets::run(&args),
        Command::Finetune(args) => finetune::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Complete(args) => complete::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Activations(args) => activations::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
    }
}

/// Prints the help, the version or the error that clap returns. The first two are results.
fn print_clap(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::InvalidUtf8 {
        // Its own message does not say which.
        let culprit = std::env::args_os().find(|argument| argument.to_str().is_none()).unwrap_or_default();
        streams::note(format_args!("error: argument {culprit:?} is not UTF-8\n"));
    } else if error.use_stderr() {
        let _ = error.print();
    } else {
        streams::write_result(|_| error.print());
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Whether progress and notes are unwanted.
fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Returns the parser of an option whose values are the names of a table.
fn named<T>(all: &'static [T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let find = move |text: String| all.iter().copied().find(|&value| name(value) == text);
    PossibleValuesParser::new(all.iter().map(|&value| name(value)))
        .map(move |text| find(text).expect("clap checked it"))
}

/// A value of a table, or the word that leaves the choice to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice<T> {
    Word,
    Of(T),
}

/// Returns the parser of an option whose values are a word and the names of a table.
fn named_or<T>(
    word: &'static str,
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = Choice<T>>
where
    T: Copy + Send + Sync + 'static,
{
    let find = move |text: String| all.iter().copied().find(|&value| name(value) == text);
    let words = std::iter::once(word).chain(all.iter().map(|&value| name(value)));
    PossibleValuesParser::new(words).map(move |text| find(text).map_or(Choice::Word, Choice::Of))
}

/// Refuses an output that is one of the inputs, however the two are spelled.
fn refuse_overwriting(out: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let Ok(real) = out.canonicalize() else { return Ok(()) };
    for input in inputs {
        if input.canonicalize().is_ok_and(|input| input == real) {
            anyhow::bail!("--out {} would overwrite {}", out.display(), input.display());
        }
    }
    Ok(())
}

/// Threads where none are asked for: one per core.
fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A number with commas between thousands.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
