use std::path::PathBuf;
use std::process::ExitCode;

use exporter::inference::complete::{Completion, complete};
use exporter::model::pack::ModelFile;
use runtime::DEFAULT_MAX_LEN;
use runtime::Model;
use serde_json::json;

use super::limits;

#[derive(clap::Args)]
pub struct Args {
    /// List words that begin with these characters; may be empty
    prefix: String,
    /// Read the model from this file: safetensors or blob
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// List this many words
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Leave out words longer than this many characters, the prefix included
    #[arg(long, default_value_t = DEFAULT_MAX_LEN, value_parser = limits::length)]
    max_len: usize,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let blob = ModelFile::read(&args.model)?.into_blob()?;
    let model = Model::new(blob.as_bytes())?;
    let completions = complete(&model, &args.prefix, args.count as usize, args.max_len)?;
    if args.json {
        let word = |completion: &Completion| json!({ "word": completion.word, "probability": completion.probability(), "nll": completion.nll });
        let words: Vec<_> = completions.iter().map(word).collect();
        println!("{}", json!({ "prefix": args.prefix, "completions": words }));
        return Ok(ExitCode::SUCCESS);
    }
    let width = completions.iter().map(|completion| completion.word.chars().count()).max().unwrap_or(0);
    let mut sum = 0.0;
    for completion in &completions {
        sum += completion.probability();
        // The empty word is a valid completion.
        let word = if completion.word.is_empty() { "\"\"" } else { &completion.word };
        println!("{word:<width$}  {:>8.4} %", 100.0 * completion.probability());
    }
    eprintln!(
        "\nshare of all words that begin with {:?}; the listed words together: {:.2} %",
        args.prefix,
        100.0 * sum
    );
    Ok(ExitCode::SUCCESS)
}
