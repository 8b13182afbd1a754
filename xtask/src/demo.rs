//! `cargo xtask demo`: the whole way, from a list of names to a chip that makes new ones.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use lexopt::prelude::*;
use serde_json::Value;

use crate::board;
use crate::command::{self, run_for_output};
use crate::emulator;
use crate::firmware;
use crate::repo::Repo;
use crate::setup;
use crate::size;
use crate::subcommand::Subcommand;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "demo",
    summary: Some("train on the names list, export, run on the emulated chip"),
    help: "\
cargo xtask demo [-- OPTIONS]

Trains on the names list, exports, and runs on the emulated chip. OPTIONS go to `exporter train`.
",
    run: |mut args| {
        let mut train = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Value(value) => train.push(value),
                option => return Err(option.unexpected().into()),
            }
        }
        run(&Repo::find(), &train)
    },
};

/// The list, from the repository's top.
const DATA: &str = "exporter/data/names.txt";
/// What training leaves.
const MODEL: &str = "target/demo/names.safetensors";
/// What the chip reads.
const BLOB: &str = "target/demo/names.blob";

/// The command. `train_options` go to the exporter's `train`.
fn run(repo: &Repo, train_options: &[OsString]) -> Result<ExitCode> {
    setup::ensure(repo, setup::Purpose::Use)?;
    fs::create_dir_all(repo.root().join("target/demo")).context("cannot create target/demo")?;

    println!("== train");
    let mut train = exporter(repo);
    train.args(["train", "--out", MODEL, "--json"]);
    // A list of the user's takes the place of ours.
    if !train_options.iter().any(|option| option.to_string_lossy().starts_with("--data")) {
        train.args(["--data", DATA]);
    }
    // Cargo is started in the repository's top folder: a path of the user's is one from where the user is.
    let options = train_options.iter().map(|option| match Path::new(option).canonicalize() {
        Ok(path) if Path::new(option).is_file() => path.into_os_string(),
        _ => option.clone(),
    });
    let losses = Losses::parse(&run_for_output(train.args(options))?)?;

    println!("\n== export");
    let mut export = exporter(repo);
    export.args(["export", "--model", MODEL, "--precision", "f32", "--out", BLOB]);
    command::run(&mut export)?;

    println!("\n== build the firmware");
    let blob = repo.root().join(BLOB);
    let elf = firmware::build(repo, board::default(), firmware::DEFAULT_BIN, Some(&blob))?;

    println!("\n== run it on the emulated chip");
    let run = emulator::run(repo, board::default(), &elf, &[], emulator::TIMEOUT)?;
    if !run.success() {
        return Ok(run.exit_code());
    }

    let size = size::of_file(&elf)?;
    print!("{}", summary(&run.lines, &losses, size.flash(), size.ram()));
    Ok(ExitCode::SUCCESS)
}

/// The exporter's command line, up to its own arguments.
fn exporter(repo: &Repo) -> Command {
    let mut cargo = repo.cargo();
    cargo.args(["run", "--package", "exporter", "--"]);
    cargo
}

/// Mean loss in nats per character on each part of the list.
struct Losses {
    train: f64,
    dev: f64,
    test: f64,
}

impl Losses {
    /// Reads the last line of what `train --json` prints.
    fn parse(output: &str) -> Result<Self> {
        let line = output.trim_end().lines().next_back().unwrap_or_default();
        let json: Value = serde_json::from_str(line).context("`train --json` printed no JSON")?;
        let loss = |key: &str| {
            let value = json[key].as_f64();
            value.with_context(|| format!("`train --json` gave no {key}"))
        };
        Ok(Self { train: loss("train_nll")?, dev: loss("dev_nll")?, test: loss("test_nll")? })
    }
}

/// What happened, in one screen.
fn summary(console: &[String], losses: &Losses, flash: u64, ram: u64) -> String {
    let (names, facts) = emulator::report(console);
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let Losses { train, dev, test } = losses;
    let mut text = format!(
        "\n== summary\n\
         names the chip wrote: {}\n\
         loss, nats per character: {dev:.4} dev, {train:.4} train, {test:.4} test\n\
         flash: {flash} bytes, model included\n\
         RAM: {ram} bytes static",
        names.join(", ")
    );
    if let Some(stack) = facts.get("stack_bytes") {
        text += &format!(" + {stack} bytes of stack at most");
    }
    if let Some(count) = facts.get("instructions_per_char") {
        text += &format!("\ninstructions per character: {count}");
    }
    text += &format!(
        "\n\n\
         Next:\n\
         \x20 another list        cargo xtask demo -- --data FILE   (one word a line)\n\
         \x20 words on this computer, from a beginning of yours\n\
         \x20                     cargo run -p exporter -- sample --model {BLOB} --prompt ma\n\
         \x20 the chip again      cargo xtask qemu --model {BLOB} -- seed=7\n\
         \x20 flash and RAM       cargo xtask size --model {BLOB}\n\
         \x20 all tests           cargo xtask test\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses() {
        let output = "{\"train_nll\": 1.9, \"dev_nll\": 2.0, \"test_nll\": 2.1, \"seed\": 42}\n";
        let losses = Losses::parse(output).unwrap();
        assert_eq!(losses.dev, 2.0);
        assert!(Losses::parse("{\"train_nll\": 1.9}").is_err());
        assert!(Losses::parse("").is_err());
    }

    #[test]
    fn summary_of_a_run() {
        let console = ["emma", "", "stack_bytes=900", "olivia"].map(str::to_owned);
        let losses = Losses { train: 1.8, dev: 1.99, test: 2.0 };
        let text = summary(&console, &losses, 330_000, 2_000);
        assert!(text.contains("wrote: emma, olivia\n"), "{text}");
        assert!(text.contains("1.9900 dev"));
        assert!(text.contains("2000 bytes static + 900 bytes of stack at most\n"));
        assert!(!text.contains("instructions per"));
    }
}
