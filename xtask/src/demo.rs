//! `cargo xtask demo`: trains on a list of names, exports the model, and draws new names on the emulated chip.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;
use serde_json::Value;

use crate::board::{self, Board};
use crate::command;
use crate::emulator;
use crate::firmware;
use crate::repo::Repo;
use crate::setup::{self, Purpose};
use crate::size;
use crate::subcommand::{Subcommand, usage};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "demo",
    summary: Some("train on a list of names, export in 8 bits, draw new names on the emulated chip"),
    help: "\
cargo xtask demo [-- OPTIONS]
    Trains for about a minute on the names of exporter/data, exports in 8 bits, and draws new
    names on the emulated chip. OPTIONS go to `exporter train`, for instance --data FILE.
cargo xtask demo --shipped
    Draws names of the shipped model on the emulated chip: no training, no libtorch.
",
    run: |mut args| {
        let (mut train, mut shipped) = (Vec::new(), false);
        while let Some(arg) = args.next()? {
            match arg {
                Long("shipped") => shipped = true,
                // lexopt returns everything after `--` as plain values.
                Value(value) => train.push(value),
                option => return Err(option.unexpected().into()),
            }
        }
        match shipped {
            true if !train.is_empty() => Err(usage("--shipped trains nothing, so it takes no options after `--`")),
            true => run_shipped(&Repo::find()),
            false => run(&Repo::find(), &train),
        }
    },
};

/// Path of the list from the repository's top.
const DATA: &str = "exporter/data/names.txt";
/// Preset that is trained unless the options name another.
const PRESET: &str = "gated-minute";
/// Preset that trains longer and reaches a better loss.
const FULL_PRESET: &str = "gated";
/// Folder of all files made here, from the repository's top.
const FOLDER: &str = "target/demo";
/// Number of names that are drawn.
const NAMES: usize = 10;

/// Draws names of the shipped model.
fn run_shipped(repo: &Repo) -> Result<ExitCode> {
    setup::ensure(repo, Purpose::Emulate)?;
    let drawn = Drawn::of(repo, &firmware::shipped_model(repo, "int8"))?;
    print!("{}", drawn.names());
    print!("\n{}", drawn.needs());
    println!("\n\nNext:\n  your own model      cargo xtask demo\n{}", next("models/names.int8.blob"));
    Ok(ExitCode::SUCCESS)
}

/// Trains, exports, and draws names.
fn run(repo: &Repo, train_options: &[OsString]) -> Result<ExitCode> {
    setup::ensure(repo, Purpose::Use)?;
    fs::create_dir_all(repo.root().join(FOLDER)).with_context(|| format!("cannot create {FOLDER}"))?;

    println!("== build the exporter");
    let mut build = repo.cargo();
    command::run_for_output(build.args(["build", "--package", "exporter"]))?;

    println!("\n== train");
    let model = format!("{FOLDER}/names.safetensors");
    let options = TrainOptions::new(train_options);
    let mut train = exporter(repo);
    train.args(["train", "--out", &model, "--json"]).args(&options.all);
    let losses = Losses::parse(&output(&mut train)?)?;

    println!("\n== export");
    let [int8, f32] = ["int8", "f32"].map(|precision| format!("{FOLDER}/names.{precision}.blob"));
    for (precision, blob) in [("int8", &int8), ("f32", &f32)] {
        let mut export = exporter(repo);
        command::run(export.args(["export", "--model", &model, "--precision", precision, "--out", blob]))?;
    }

    println!("\n== run it on the emulated chip");
    let drawn = Drawn::of(repo, &repo.root().join(&int8))?;
    println!("\n{}", drawn.names());
    let in_f32 = Drawn::of(repo, &repo.root().join(&f32))?;
    print!("\n{}\n{}", drawn.needs(), losses.text(options.is_default));
    println!("\n\n{}", drawn.against(&in_f32));
    println!("\nNext:\n  another list        cargo xtask demo -- --data FILE   (one word per line)");
    println!("  train for longer    cargo xtask demo -- --preset {FULL_PRESET}   (four minutes)\n{}", next(&int8));
    Ok(ExitCode::SUCCESS)
}

/// Returns the list of commands that start from a blob.
fn next(blob: &str) -> String {
    format!(
        "\x20 other names         cargo xtask qemu --model {blob} -- seed=7 prompt=ma\n\
         \x20 a console           cargo xtask qemu console --model {blob}\n\
         \x20 flash and RAM       cargo xtask size --model {blob}\n\
         \x20 a board             cargo xtask help flash\n\
         \x20 all tests           cargo xtask test"
    )
}

/// Returns the exporter's command line, without the exporter's own arguments.
fn exporter(repo: &Repo) -> Command {
    let mut cargo = repo.cargo();
    cargo.args(["run", "--quiet", "--package", "exporter", "--"]);
    cargo
}

/// Prints the command, runs it and returns its stdout. Its stderr, which shows progress, goes to our stderr.
fn output(command: &mut Command) -> Result<String> {
    eprintln!("$ {}", command::show(command));
    let output = command.stderr(std::process::Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "`{}` ended with {}", command::show(command), output.status);
    String::from_utf8(output.stdout).context("the exporter's output is not UTF-8")
}

/// Options of `train`.
struct TrainOptions {
    all: Vec<OsString>,
    /// True if both list and preset are the defaults.
    is_default: bool,
}

impl TrainOptions {
    /// Returns the user's options, with the default list and preset added where the user names none.
    fn new(options: &[OsString]) -> Self {
        let names = |name: &str| options.iter().any(|option| option.to_string_lossy().starts_with(name));
        // Cargo starts the exporter in the repository's top folder, but the user's paths are relative to the user's
        // folder.
        let absolute = |option: &OsString| match Path::new(option).canonicalize() {
            Ok(path) if Path::new(option).is_file() => path.into_os_string(),
            _ => option.clone(),
        };
        let mut all: Vec<OsString> = options.iter().map(absolute).collect();
        for (name, value) in [("--data", DATA), ("--preset", PRESET)] {
            if !names(name) {
                all.extend([name.into(), value.into()]);
            }
        }
        Self { all, is_default: options.is_empty() }
    }
}

/// Mean loss in nats per character on each split.
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
        let loss = |key: &str| json[key].as_f64().with_context(|| format!("`train --json` printed no {key}"));
        Ok(Self { train: loss("train_nll")?, dev: loss("dev_nll")?, test: loss("test_nll")? })
    }

    fn text(&self, is_default: bool) -> String {
        let Self { train, dev, test } = self;
        let mut text = format!("loss, nats per character: {dev:.4} dev, {train:.4} train, {test:.4} test");
        if is_default {
            text += &format!(
                "\n  at most 0.03 above the loss of the preset `{FULL_PRESET}`, which trains six times as long"
            );
        }
        text
    }
}

/// Names that the emulated chip drew, and the resources of the program.
struct Drawn {
    board: &'static Board,
    names: Vec<String>,
    flash: u64,
    ram: u64,
    stack: u64,
    instructions: u64,
}

impl Drawn {
    fn of(repo: &Repo, blob: &Path) -> Result<Self> {
        let board = board::default();
        let elf = firmware::build(repo, board, firmware::DEFAULT_BIN, Some(blob))?;
        let arguments = [format!("n={NAMES}")];
        let run = emulator::run_quietly(repo, board, &elf, &arguments, emulator::TIMEOUT)?;
        ensure!(run.success(), "the program failed on the emulated chip: {}", run.lines.join("\n"));
        let (names, facts) = emulator::report(&run.lines);
        let fact = |key: &str| -> Result<u64> {
            let value = facts.get(key).with_context(|| format!("the program did not report {key}"))?;
            value.parse().with_context(|| format!("the program reported {key}={value}, which is not a number"))
        };
        let size = size::of_file(&elf)?;
        Ok(Self {
            board,
            names: names.into_iter().map(str::to_owned).collect(),
            flash: size.flash(),
            ram: size.ram(),
            stack: fact("stack_bytes")?,
            instructions: fact("instructions_per_char")?,
        })
    }

    fn names(&self) -> String {
        let Board { core, name, .. } = self.board;
        let names: String = self.names.iter().map(|name| format!("  {name}\n")).collect();
        format!("names from the emulated chip ({core}, board {name}), 8-bit weights:\n\n{names}")
    }

    fn needs(&self) -> String {
        let Self { flash, ram, stack, instructions, .. } = self;
        format!(
            "flash: {flash} bytes, model included\n\
             RAM: {ram} bytes static, {stack} bytes of stack\n\
             instructions per character: {instructions}"
        )
    }

    fn against(&self, other: &Self) -> String {
        let times = other.instructions as f64 / self.instructions as f64;
        format!(
            "in f32 the same program takes {} bytes of flash, {} of RAM, and {} instructions per character: {times:.1} times \
             as many",
            other.flash, other.ram, other.instructions
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses() {
        let output = "{\"train_nll\": 1.9, \"dev_nll\": 2.0, \"test_nll\": 2.1, \"seed\": 42}\n";
        let losses = Losses::parse(output).unwrap();
        assert_eq!(losses.dev, 2.0);
        assert!(losses.text(true).contains("2.0000 dev") && losses.text(true).contains("0.03"));
        assert!(!losses.text(false).contains("0.03"));
        assert!(Losses::parse("{\"train_nll\": 1.9}").is_err());
        assert!(Losses::parse("").is_err());
    }

    #[test]
    fn list_and_preset_are_ours_unless_named() {
        let options = |options: &[&str]| TrainOptions::new(&options.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(options(&[]).all, ["--data", DATA, "--preset", PRESET]);
        assert!(options(&[]).is_default);
        let own = options(&["--preset=tiny", "--seed", "7"]);
        assert_eq!(own.all, ["--preset=tiny", "--seed", "7", "--data", DATA]);
        assert!(!own.is_default);
    }

    #[test]
    fn what_it_takes_is_shown() {
        let drawn = |instructions| Drawn {
            board: board::default(),
            names: vec!["emma".to_owned(), "olivia".to_owned()],
            flash: 110_000,
            ram: 2_000,
            stack: 900,
            instructions,
        };
        assert!(drawn(1).names().ends_with(":\n\n  emma\n  olivia\n"));
        assert!(drawn(60_000).needs().contains("2000 bytes static, 900 bytes of stack\n"));
        assert!(
            drawn(60_000).against(&drawn(120_000)).ends_with("120000 instructions per character: 2.0 times as many")
        );
    }
}
