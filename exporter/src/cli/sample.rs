use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use exporter::pack::ModelFile;
use exporter::sample::{Drawn, words, words_in_parallel};
use runtime::generator::DEFAULT_MAX_LEN;
use runtime::{End, Model, Sampling};

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
    #[arg(long, default_value_t = DEFAULT_MAX_LEN)]
    max_len: usize,
}

/// A temperature in thousandths, which is what the chip takes.
fn parse_temperature(text: &str) -> Result<u16, String> {
    let temperature: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let milli = (temperature * 1000.0).round();
    if (0.0..=f64::from(u16::MAX)).contains(&milli) { Ok(milli as u16) } else { Err("must be 0 to 65.535".to_owned()) }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let blob = ModelFile::read(&args.model)?.into_blob()?;
    let model = Model::new(blob.as_bytes())?;
    let sampling = Sampling::default().temperature_milli(args.temperature).top_k(args.top_k);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    let mut cut = 0;
    let each = |(word, end): Drawn| {
        cut += usize::from(end == End::Limit);
        written = writeln!(out, "{word}");
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    if args.parallel {
        words_in_parallel(&model, sampling, args.seed, &args.prompt, args.max_len, args.count, each)
    } else {
        words(&model, sampling, args.seed, &args.prompt, args.max_len, args.count, each)
    }
    .with_context(|| format!("prompt {:?}", args.prompt))?;
    // `sample | head` closes the pipe: that is the reader's choice, not an error.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        result => result.context("cannot write the words")?,
    }
    if cut > 0 {
        eprintln!("{cut} of {} words were cut at {} characters (--max-len)", args.count, args.max_len);
    }
    Ok(ExitCode::SUCCESS)
}
