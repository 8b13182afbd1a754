use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use exporter::data::alphabet::explain;
use exporter::data::{MAX_WORDS, hex};
use exporter::inference::sample::{Drawn, words, words_in_parallel};
use exporter::model::pack::ModelFile;
use runtime::DEFAULT_MAX_LEN;
use runtime::{End, Model, Sampling};
use serde_json::json;

use super::limits;
use super::lists::{Known, for_model};

#[derive(clap::Args)]
pub struct Args {
    /// A model, safetensors or blob
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// How many words
    #[arg(short = 'n', long, default_value_t = 20)]
    count: usize,
    /// Many words at once, on all cores: for thousands of them. Each has a seed of its own, made of --seed and its place in
    /// the list, so that the list is another one than without, and the same whatever the number of cores
    #[arg(long)]
    parallel: bool,
    /// Seed: the same words every time, here and on the chip
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Below 1 more ordinary, above 1 more daring; 0 takes the most probable character always
    #[arg(long, default_value = "1.0", value_parser = parse_temperature)]
    temperature: u16,
    /// Draw from the K most probable characters only; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: u16,
    /// What every word begins with
    #[arg(long, default_value = "")]
    prompt: String,
    /// Most characters of a word, the prompt included
    #[arg(long, default_value_t = DEFAULT_MAX_LEN, value_parser = limits::length)]
    max_len: usize,
    /// New words only: what stands in the list of --data, and empty words, are drawn again
    #[arg(long)]
    novel: bool,
    /// The list for --novel: one word a line [default: the shipped list of names]
    #[arg(long, value_name = "FILE", requires = "novel")]
    data: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Words drawn for one that is new, before --novel gives up.
const DRAWN_FOR_ONE: usize = 1_000;

/// A temperature in thousandths, which is what the chip takes.
fn parse_temperature(text: &str) -> Result<u16, String> {
    let temperature: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let milli = (temperature * 1000.0).round();
    if (0.0..=f64::from(u16::MAX)).contains(&milli) { Ok(milli as u16) } else { Err("must be 0 to 65.535".to_owned()) }
}

/// Most words of one JSON object, which is in memory as a whole: 2 GB.
const MAX_JSON: usize = 10_000_000;

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.json && args.count > MAX_JSON {
        bail!("--json holds all words in memory, at most {}: without it any number is drawn", super::count(MAX_JSON));
    }
    let blob = ModelFile::read(&args.model)?.into_blob()?;
    let model = Model::new(blob.as_bytes())?;
    let sampling = Sampling::default().temperature_milli(args.temperature).top_k(args.top_k);
    let known: Option<(String, HashSet<String>)> = if args.novel {
        let mut words = super::list(args.data.as_deref(), MAX_WORDS)?;
        let (name, vocab) = (args.model.display().to_string(), model.vocab().as_str());
        for_model(&mut words, &Known { name, sha256: hex(&model.provenance().data_sha256), vocab });
        // Whoever stops in the middle of a known word has not made a new one.
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
        // None of them for no words, else the first would be one too many.
        Some(_) => args.count.saturating_mul(DRAWN_FOR_ONE),
    };
    if args.parallel {
        words_in_parallel(&model, sampling, args.seed, &args.prompt, args.max_len, draws, each)
    } else {
        words(&model, sampling, args.seed, &args.prompt, args.max_len, draws, each)
    }
    .map_err(|error| anyhow!("prompt {:?}: {}", args.prompt, explain(&error, &args.prompt, model.vocab().as_str())))?;
    if args.json {
        let mut object = json!({ "words": rows, "seed": args.seed, "cut": cut });
        if known.is_some() {
            object["drawn"] = drawn.into();
        }
        written = writeln!(out, "{object}");
    }
    // `sample | head` closes the pipe: that is the reader's choice, not an error.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        result => result.context("cannot write the words")?,
    }
    if cut > 0 {
        eprintln!("{cut} of {found} words were cut at {} characters (--max-len)", args.max_len);
    }
    match known {
        Some((list, _)) if found < args.count => bail!(
            "only {found} of {} words are new among {drawn} drawn, the others stand in {list}: a higher --temperature, a larger \
             --top-k or another --prompt gives more",
            args.count
        ),
        Some((list, _)) => eprintln!("{} of {drawn} words drawn stand in {list}, or were empty", drawn - found),
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}
