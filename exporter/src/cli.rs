//! The command line: one file per command.

use std::sync::atomic::{AtomicBool, Ordering};

/// `true` if `--quiet` was given.
static QUIET: AtomicBool = AtomicBool::new(false);

#[path = "../../xtask/src/streams.rs"]
#[allow(dead_code, reason = "xtask uses the rest")]
pub mod streams;

// These macros replace std's, which panic if a write fails. A command's result goes to stdout
// (`println!`); a table goes to stderr (`show!`). Progress and notes use `eprintln!` and `eprint!`, and --quiet hides
// them.
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
/// Prints a line of a table on stderr: stdout is for `--json`.
macro_rules! show {
    ($($argument:tt)*) => { show_part!("{}\n", format_args!($($argument)*)) };
}
/// Prints part of a line of a table.
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

/// Train small character models, measure them and pack them for microcontrollers
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// Print only results and errors: hide progress and notes
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model on a list of words, fold its BatchNorms and write it as safetensors
    Train(Box<train::Args>),
    /// Train every combination of given settings and seeds, and rank the results
    Sweep(sweep::Args),
    /// Compare the time to the lecture's loss: a preset against a plain training loop
    #[command(hide = true)]
    Race(race::Args),
    /// Plot the metrics of training runs as SVG and PNG
    Plot(plot::Args),
    /// List the presets: networks with their training recipes
    Presets(presets::Args),
    /// Fine-tune a model for 4-bit weights (quantization-aware training)
    Finetune(finetune::Args),
    /// Convert a PyTorch state_dict: fold its BatchNorms and write it as a model of this program
    Import(import::Args),
    /// Pack a model into a blob that the chip reads
    Export(export::Args),
    /// Measure a model's loss on a word list, or compare several models
    Eval(eval::Args),
    /// Measure a blob's accuracy level by level, or compare a model with PyTorch's logits
    Validate(validate::Args),
    /// Draw words from a model with the chip's code
    Sample(sample::Args),
    /// List the most probable words that begin with a prefix, by exact search
    Complete(complete::Args),
    /// Print how probable a model finds words, and how many words of a list are less probable
    Score(score::Args),
    /// Draw the tree for a word, with the values that every node computes
    Activations(activations::Args),
    /// Show a model's layers and sizes, and the memory and time it needs on a chip
    Inspect(inspect::Args),
    /// Measure how fast this computer draws words, with the runtime and with libtorch
    Bench(bench::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Write manual pages for all commands
    Man(man::Args),
}

/// Parses the command line and runs its command.
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
        // clap's message does not name the argument.
        let culprit = std::env::args_os().find(|argument| argument.to_str().is_none()).unwrap_or_default();
        streams::note(format_args!("error: argument {culprit:?} is not UTF-8\n"));
    } else if error.use_stderr() {
        let _ = error.print();
    } else {
        streams::write_result(|_| error.print());
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Returns whether `--quiet` was given.
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

/// Value of an option: one of a table, or a word such as `auto` that leaves the choice to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice<T> {
    Word,
    Of(T),
}

/// Returns the parser of an option whose values are `word` and the names of a table.
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

/// Fails if the output is one of the inputs, even under another spelling of the path.
fn refuse_overwriting(out: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let Ok(real) = out.canonicalize() else { return Ok(()) };
    for input in inputs {
        if input.canonicalize().is_ok_and(|input| input == real) {
            let (out, input) = (out.display(), input.display());
            anyhow::bail!("--out {out} would overwrite the input {input}: choose another name");
        }
    }
    Ok(())
}

/// Returns the number of threads if the command line names none: one per core.
fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns a number with commas between thousands.
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
