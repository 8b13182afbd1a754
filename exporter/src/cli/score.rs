use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use exporter::data::alphabet::explain;
use exporter::data::{MAX_WORDS, Words};
use exporter::inference::score::{Ranking, Scored, Scorer};
use exporter::model::pack::ModelFile;
use runtime::Model;
use serde_json::json;

use super::count;
use super::lists::{Known, for_model};

#[derive(clap::Args)]
pub struct Args {
    /// Read the model from this file: safetensors or blob
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Score these words; `-` reads words from stdin, one per line
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// Rank the words among the words of this list: one word per line [default: the shipped list of names]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Returns the words of the command line, with the words of stdin in place of `-`.
fn words(given: &[String]) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for word in given {
        if word == "-" {
            for line in std::io::stdin().lock().lines() {
                let line = line.context("cannot read words from stdin")?;
                words.extend(Some(line.trim().to_owned()).filter(|word| !word.is_empty()));
            }
        } else {
            words.push(word.clone());
        }
    }
    Ok(words)
}

/// Returns the list and the probabilities of its words, or `None` if the shipped list has characters unknown to the
/// model.
fn ranking(args: &Args, model: &Model<'_>) -> anyhow::Result<Option<(Words, Ranking)>> {
    let mut words = super::list(args.data.as_deref(), MAX_WORDS)?;
    let vocab = model.vocab().as_str();
    for_model(&mut words, &Known::of_blob(args.model.display().to_string(), model));
    match Ranking::new(model, &words.words) {
        Ok(ranking) => Ok(Some((words, ranking))),
        Err((word, error)) if args.data.is_some() => {
            bail!("{}: the word {word:?}: {}", words.name, explain(&error, &word, vocab))
        }
        Err((word, error)) => {
            let reason = explain(&error, &word, vocab);
            let name = &words.name;
            eprintln!("note: no ranks: {name} has other characters ({word:?}: {reason}); to name a list: --data FILE");
            Ok(None)
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let words = words(&args.words)?;
    if words.is_empty() {
        bail!("stdin has no words: write one word per line");
    }
    let blob = ModelFile::read(&args.model)?.into_blob()?;
    let model = Model::new(blob.as_bytes())?;
    let mut scorer = Scorer::new(&model);
    let (mut scored, mut refused) = (Vec::new(), Vec::new());
    for word in &words {
        match scorer.score(word) {
            Ok(word) => scored.push(word),
            Err(error) => refused.push(format!("{word:?}: {}", explain(&error, word, model.vocab().as_str()))),
        }
    }
    if !scored.is_empty() {
        let list = ranking(args, &model)?;
        let list = list.as_ref();
        if args.json { print_json(&scored, &refused, list) } else { print_table(&scored, list) }
    }
    match &refused[..] {
        [] => Ok(ExitCode::SUCCESS),
        _ => bail!("{} of {} words cannot be scored: {}", refused.len(), words.len(), refused.join("; ")),
    }
}

fn print_json(scored: &[Scored], refused: &[String], list: Option<&(Words, Ranking)>) {
    let word = |scored: &Scored| {
        let characters = scored.surprise.iter().map(|(character, nll)| json!({ "character": character, "nll": nll }));
        json!({
            "word": scored.word,
            "log_probability": -scored.nll(),
            "nll": scored.nll(),
            "nll_per_character": scored.nll_per_character(),
            "characters": characters.collect::<Vec<_>>(),
            "less_probable_words": list.map(|(_, ranking)| ranking.less_probable(scored.nll())),
            "in_list": list.map(|(_, ranking)| ranking.contains(&scored.word)),
        })
    };
    println!(
        "{}",
        json!({
            "words": scored.iter().map(word).collect::<Vec<_>>(),
            "refused": refused,
            "list": list.map(|(words, _)| &words.name),
            "list_words": list.map(|(_, ranking)| ranking.len()),
        })
    );
}

fn print_table(scored: &[Scored], list: Option<&(Words, Ranking)>) {
    let width = scored.iter().map(|scored| scored.word.chars().count()).max().unwrap_or(0).max(4);
    let rank = if list.is_some() { "  more probable than  in the list" } else { "" };
    println!("{:<width$}  log-prob  nll/char{rank}  nats per character, then the end", "word");
    for scored in scored {
        print!("{:<width$}  {:>8.3}  {:>8.3}", scored.word, -scored.nll(), scored.nll_per_character());
        if let Some((_, ranking)) = list {
            let words = count(ranking.less_probable(scored.nll()));
            let known = if ranking.contains(&scored.word) { "yes" } else { "no" };
            print!("  {:>18}  {known:<11}", format!("{words} words"));
        }
        let surprise: Vec<String> = scored
            .surprise
            .iter()
            .map(|(character, nll)| match character {
                Some(character) => format!("{character} {nll:.2}"),
                None => format!("| {nll:.2}"),
            })
            .collect();
        println!("  {}", surprise.join("  "));
    }
    if let Some((words, ranking)) = list {
        println!(
            "\nranked among the {} distinct words of {}; log-prob in nats, the end of the word included",
            count(ranking.len()),
            words.name
        );
    }
}
