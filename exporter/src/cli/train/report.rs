//! The result of a training: a table on stderr, and a JSON object for programs.

use std::path::{Path, PathBuf};

use exporter::train::fold_network::FoldError;
use exporter::train::training::Outcome;
use runtime::Activation;

use super::settings::Settings;
use crate::cli::{count, quoted};

/// Returns the object that `--json` prints and `result.json` holds.
pub fn result(settings: &Settings, activation: Activation, out: Option<&Path>, outcome: &Outcome) -> serde_json::Value {
    let [train_words, dev_words, test_words] = outcome.words;
    let [train_characters, dev_characters, test_characters] = outcome.examples;
    let [train_nll, dev_nll, test_nll] = outcome.losses;
    serde_json::json!({
        "model": out.map(relative),
        "preset": settings.preset, "activation": activation.name(), "seed": settings.seed,
        "train_nll": train_nll, "dev_nll": dev_nll, "test_nll": test_nll,
        "train_words": train_words, "dev_words": dev_words, "test_words": test_words,
        "train_characters": train_characters,
        "dev_characters": dev_characters,
        "test_characters": test_characters,
        "parameters": outcome.parameters,
        "steps": outcome.best_step,
        "seconds": outcome.elapsed.as_secs_f64(),
        "interrupted": outcome.interrupted,
    })
}

/// Prints losses, parameters, and the commands for the next steps.
pub fn report(outcome: &Outcome, out: Option<&Path>, run: &Path, words: &str) {
    let seconds = outcome.elapsed.as_secs_f64();
    eprintln!("\n         nll     words  characters");
    for (index, split) in ["train", "dev", "test"].iter().enumerate() {
        let (words, characters) = (count(outcome.words[index]), count(outcome.examples[index]));
        eprintln!("{split:<5} {:.4}  {words:>8}  {characters:>10}", outcome.losses[index]);
    }
    let folded = outcome.model.as_ref().map_or(String::new(), |model| {
        let parameters = model.architecture.config(model.vocab_size()).map_or(0, |config| config.parameters());
        format!(" ({} folded)", count(parameters))
    });
    let (parameters, step) = (count(outcome.parameters), count(outcome.best_step));
    eprintln!("{parameters} parameters{folded}, best at step {step}, {seconds:.0} s");
    if outcome.interrupted {
        eprintln!("\nto continue: cargo run -p exporter -- train --resume {}", quoted(run));
    }
    match (out, &outcome.model) {
        (Some(out), Some(_)) => {
            let out = relative(out);
            let model = quoted(&out);
            let blob = quoted(&out.with_extension("blob"));
            eprintln!("\nwrote {model}; settings, losses and checkpoint are in {}. Next:", quoted(run));
            eprintln!("  cargo run -p exporter -- sample --model {model} -n 20");
            eprintln!("  cargo run -p exporter -- export --model {model} --out {blob}");
            eprintln!("  cargo xtask qemu --model {blob}");
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
