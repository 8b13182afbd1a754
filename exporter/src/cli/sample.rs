use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use exporter::data::MAX_WORDS;
use exporter::data::alphabet::explain;
use exporter::inference::sample::{Drawn, text, words, words_in_parallel};
use exporter::model::pack::ModelFile;
use runtime::DEFAULT_MAX_LEN;
use runtime::{End, Model, PromptError, Sampling};
use serde_json::json;

use super::lists::{Known, for_model};
use super::{limits, quoted};

#[derive(clap::Args)]
pub struct Args {
    /// Read the model from this file: safetensors or blob
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Draw this many words
    #[arg(short = 'n', long, default_value_t = 20)]
    count: usize,
    /// Draw many words at once on all cores, for thousands of words. Each word has a seed of its own, made from --seed
    /// and the word's number: the words differ from those without --parallel, but not with the number of cores
    #[arg(long)]
    parallel: bool,
    /// Set the seed: a model and a seed draw the same words every time, here and on the chip
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Set the temperature: words are more ordinary below 1, more unusual above 1; 0 always takes the most probable
    /// character
    #[arg(long, default_value = "1.0", value_parser = parse_temperature)]
    temperature: u16,
    /// Draw only from the K most probable characters; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: u16,
    /// Begin every word with these characters
    #[arg(long, default_value = "")]
    prompt: String,
    /// Cut words at this many characters, the prompt included
    #[arg(long, default_value_t = DEFAULT_MAX_LEN, value_parser = limits::length)]
    max_len: usize,
    /// Draw one text of this many characters, the prompt included, instead of words: a model of words draws word after
    /// word [default for a model of text: 1000]
    #[arg(long, value_name = "N", conflicts_with_all = ["count", "parallel", "max_len", "novel"])]
    length: Option<usize>,
    /// Draw only new words: skip empty words and words that are in the list of --data
    #[arg(long)]
    novel: bool,
    /// Read the list for --novel from this file: one word per line [default: the shipped list of names]
    #[arg(long, value_name = "FILE", requires = "novel")]
    data: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Number of characters of a text if `--length` does not say.
const TEXT_LENGTH: usize = 1_000;

/// Draws and prints a text.
fn draw_text(args: &Args, model: &Model<'_>, sampling: Sampling, length: usize) -> anyhow::Result<ExitCode> {
    if args.json && length > MAX_JSON {
        bail!("--json holds the text in memory, at most {} characters: leave out --json", super::count(MAX_JSON));
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut written, mut held) = (Ok(()), String::new());
    let each = |character: char| {
        match args.json {
            true => held.push(character),
            false => written = write!(out, "{character}"),
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    text(model, sampling, args.seed, &args.prompt, length, each).map_err(|error| unreadable(args, model, &error))?;
    let end = if args.json { json!({ "text": held, "seed": args.seed }).to_string() } else { String::new() };
    match written.and_then(|()| writeln!(out, "{end}")).and_then(|()| out.flush()) {
        // `sample | head` closes the pipe: that is not an error.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        result => Ok(result.map(|()| ExitCode::SUCCESS).context("cannot write the text")?),
    }
}

/// Returns the error of a prompt that the model cannot read.
fn unreadable(args: &Args, model: &Model<'_>, error: &PromptError) -> anyhow::Error {
    anyhow!("prompt {:?}: {}", args.prompt, explain(error, &args.prompt, model.vocab().as_str()))
}

/// Number of draws per new word after which --novel fails.
const DRAWN_FOR_ONE: usize = 1_000;

/// Parses a temperature into thousandths, the chip's unit.
fn parse_temperature(text: &str) -> Result<u16, String> {
    let temperature: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let milli = (temperature * 1000.0).round();
    let is_valid = (0.0..=f64::from(u16::MAX)).contains(&milli);
    if is_valid { Ok(milli as u16) } else { Err("must be a number from 0 to 65.535".to_owned()) }
}

/// Largest number of words in one JSON object, which is held in memory: about 2 GB.
const MAX_JSON: usize = 10_000_000;

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.json && args.count > MAX_JSON {
        bail!("--json holds all words in memory, at most {}: for more, leave out --json", super::count(MAX_JSON));
    }
    let blob = ModelFile::read(&args.model)?.into_blob()?;
    let model = Model::new(blob.as_bytes())?;
    let sampling = Sampling::default().temperature_milli(args.temperature).top_k(args.top_k);
    let default_length = model.vocab().is_of_text().then_some(TEXT_LENGTH);
    if let Some(length) = args.length.or(default_length) {
        if args.parallel || args.novel {
            bail!("{} is a model of text: --parallel and --novel are for words", quoted(&args.model));
        }
        return draw_text(args, &model, sampling, length);
    }
    let known: Option<(String, HashSet<String>)> = if args.novel {
        let mut words = super::list(args.data.as_deref(), MAX_WORDS)?;
        for_model(&mut words, &Known::of_blob(args.model.display().to_string(), &model));
        // The empty word is never a new word.
        Some((words.name, words.words.into_iter().chain([String::new()]).collect()))
    } else {
        None
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    let (mut cut, mut found, mut drawn) = (0, 0, 0_usize);
    let mut rows = Vec::new();
    let each = |(word, end): Drawn| {
        drawn += 1;
        if known.as_ref().is_some_and(|(_, known)| known.contains(&word)) {
            return ControlFlow::Continue(());
        }
        found += 1;
        cut += usize::from(end == End::Limit);
        if args.json {
            rows.push(json!({ "word": word, "cut": end == End::Limit }));
        } else {
            written = writeln!(out, "{word}");
        }
        if written.is_ok() && found < args.count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let draws = match &known {
        None => args.count,
        // For a count of 0 this is 0: the first draw would be one too many.
        Some(_) => args.count.saturating_mul(DRAWN_FOR_ONE),
    };
    if args.parallel {
        words_in_parallel(&model, sampling, args.seed, &args.prompt, args.max_len, draws, each)
    } else {
        words(&model, sampling, args.seed, &args.prompt, args.max_len, draws, each)
    }
    .map_err(|error| unreadable(args, &model, &error))?;
    if args.json {
        let mut object = json!({ "words": rows, "seed": args.seed, "cut": cut });
        if known.is_some() {
            object["drawn"] = drawn.into();
        }
        written = writeln!(out, "{object}");
    }
    // `sample | head` closes the pipe: that is not an error.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        result => result.context("cannot write the words")?,
    }
    if cut > 0 {
        eprintln!("{cut} of {found} words were cut at {} characters (--max-len)", args.max_len);
    }
    match known {
        Some((list, _)) if found < args.count => bail!(
            "found only {found} of {} new words in {drawn} draws, all others are in {list}: try a higher --temperature, a \
             larger --top-k or another --prompt",
            args.count
        ),
        Some((list, _)) => eprintln!("skipped {} of {drawn} drawn words, which are empty or in {list}", drawn - found),
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}
