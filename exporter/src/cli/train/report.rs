//! The result of a training: a table on stderr, and a JSON object for programs.

use std::path::{Path, PathBuf};

use exporter::train::fold_network::FoldError;
use exporter::train::training::Outcome;
use runtime::Activation;

use super::settings::Settings;
use crate::cli::{count, quoted};

/// Names of the splits.
const SPLITS: [&str; 3] = ["train", "dev", "test"];

/// Returns the object that `--json` prints and `result.json` holds.
pub fn result(settings: &Settings, activation: Activation, out: Option<&Path>, outcome: &Outcome) -> serde_json::Value {
    let [train_characters, dev_characters, test_characters] = outcome.examples;
    let [train_nll, dev_nll, test_nll] = outcome.losses;
    let mut json = serde_json::json!({
        "model": out.map(relative),
        "preset": settings.preset, "activation": activation.name(), "seed": settings.seed,
        "train_nll": train_nll, "dev_nll": dev_nll, "test_nll": test_nll,
        "train_characters": train_characters,
        "dev_characters": dev_characters,
        "test_characters": test_characters,
        "parameters": outcome.parameters,
        "temperature": outcome.temperature,
        "steps": outcome.best_step,
        "seconds": outcome.elapsed.as_secs_f64(),
        "interrupted": outcome.interrupted,
    });
    if let Some(words) = outcome.words {
        for (split, words) in SPLITS.iter().zip(words) {
            json[format!("{split}_words")] = words.into();
        }
    }
    json
}

/// Prints losses, parameters, and the commands for the next steps.
pub fn report(outcome: &Outcome, out: Option<&Path>, run: &Path, words: &str) {
    let seconds = outcome.elapsed.as_secs_f64();
    let words_of = |index: usize| outcome.words.map(|words| count(words[index]));
    let column = |text: &str| outcome.words.map_or(String::new(), |_| format!("  {text:>8}"));
    eprintln!("\n         nll{}  characters", column("words"));
    for (index, split) in SPLITS.iter().enumerate() {
        let words = words_of(index).map_or(String::new(), |words| column(&words));
        eprintln!("{split:<5} {:.4}{words}  {:>10}", outcome.losses[index], count(outcome.examples[index]));
    }
    let folded = outcome.model.as_ref().map_or(String::new(), |model| {
        let parameters = model.architecture.config(model.vocab_size()).map_or(0, |config| config.parameters());
        format!(" ({} folded)", count(parameters))
    });
    let (parameters, step) = (count(outcome.parameters), count(outcome.best_step));
    let temperature = match outcome.temperature {
        1.0 => String::new(),
        fitted => format!(", logits divided by {fitted:.3}"),
    };
    eprintln!("{parameters} parameters{folded}, best at step {step}{temperature}, {seconds:.0} s");
    if outcome.interrupted {
        eprintln!("\nto continue: cargo run -p exporter -- train --resume {}", quoted(run));
    }
    match (out, &outcome.model) {
        (Some(out), Some(_)) => {
            let out = relative(out);
            let model = quoted(&out);
            let blob = quoted(&out.with_extension("blob"));
            eprintln!("\nwrote {model}; settings, losses and checkpoint are in {}. Next:", quoted(run));
            let asked = if outcome.words.is_some() { "-n 20" } else { "--length 1000" };
            eprintln!("  cargo run -p exporter -- sample --model {model} {asked}");
            eprintln!("  cargo run -p exporter -- export --model {model} --out {blob}");
            if outcome.words.is_some() {
                eprintln!("  cargo xtask qemu --model {blob}");
            }
        }
        _ => eprintln!(
            "\nwrote no model of {words}; settings, losses and checkpoint are in {}: {}",
            quoted(run),
            FoldError::PerPosition
        ),
    }
}

/// Returns the path relative to the working folder if the file is in it, as it was probably given.
pub fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}
