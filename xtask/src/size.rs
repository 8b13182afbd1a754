//! `cargo xtask size`: prints a program's flash, RAM and stack by sections and crates, against the budget in
//! `tests/budget.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use lexopt::prelude::*;

pub(crate) mod crates;
mod report;
mod sections;
pub mod weights;

pub use crates::{Share, is_assembly_of_runtime, of_elf as by_crate};
pub use sections::{Place, Section, Size, of_file};

use crate::board::{self, BOARDS, Board};
use crate::budget::Budget;
use crate::emulator;
use crate::firmware::{self, PRECISIONS};
use crate::memory::MemoryMap;
use crate::repo::Repo;
use crate::setup::qemu;
use crate::subcommand::{self, Subcommand, usage};
use crate::uart::Terminal;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "size",
    summary: Some("show flash, RAM and stack of a firmware program, against the budget"),
    help: "\
cargo xtask size [BIN] [--board NAME] [--model FILE] [--all] [--json]

Shows the flash by sections and by crates, the weights, the static RAM and the stack of a firmware
program, against the budget in tests/budget.toml. Without BIN the program is generate.

  --board NAME    another board than mps2-an386
  --model FILE    another model than the shipped one
  --all           one row for every board and precision
  --json          print JSON
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// The command line.
struct Options {
    bin: String,
    board: &'static Board,
    model: Option<PathBuf>,
    all: bool,
    json: bool,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let (mut bin, mut board, mut model, mut all, mut json) = (None, board::default(), None, false, false);
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => board = subcommand::board(&mut args)?,
                Long("model") => model = Some(args.value()?.into()),
                Long("all") => all = true,
                Long("json") => json = true,
                Value(value) if bin.is_none() => bin = Some(value.string()?),
                Value(value) => {
                    return Err(usage(format!("unexpected `{}`: name only one program", value.to_string_lossy())));
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Self { bin: bin.unwrap_or_else(|| firmware::DEFAULT_BIN.to_owned()), board, model, all, json })
    }
}

/// Measured sizes of a program.
#[derive(Debug)]
pub struct Measured {
    /// Name of the board.
    pub board: &'static str,
    /// Name of the program.
    pub bin: String,
    /// Precision of the model.
    pub precision: &'static str,
    /// Flash and static RAM by sections.
    pub size: Size,
    /// Flash by crates, without the model.
    pub crates: BTreeMap<String, Share>,
    /// Bytes of the model.
    pub weights: u64,
    /// Memory of the board.
    pub memory: MemoryMap,
    /// Bytes of stack that the program used in the emulator. `None` if the board has no emulator here, or the program
    /// does not report it.
    pub stack: Option<u64>,
    /// Other reported numbers with a budget: `state_bytes`, `instructions_per_char`.
    pub facts: BTreeMap<&'static str, u64>,
}

impl Measured {
    /// Returns the bytes of flash without the model.
    pub fn code(&self) -> u64 {
        self.size.flash() - self.weights
    }

    /// Returns the numbers that have a budget, by their names there.
    pub fn figures(&self) -> BTreeMap<&'static str, u64> {
        let mut figures = self.facts.clone();
        figures.extend([("flash_bytes", self.size.flash()), ("code_bytes", self.code())]);
        figures.extend([("model_bytes", self.weights), ("ram_bytes", self.size.ram())]);
        figures.extend(self.stack.map(|stack| ("stack_bytes", stack)));
        figures
    }
}

/// Measures one program, or all combinations.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let budget = Budget::read(repo)?;
    if !options.all {
        let measured = measure(repo, options.board, &options.bin, options.model.as_deref())?;
        if options.json {
            println!("{}", report::to_json(&measured, &budget));
        } else {
            print!("{}", report::details(&measured, &budget));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for board in BOARDS.iter() {
        for model in models(repo, options) {
            // f32 on a core without an FPU would measure software floating point.
            if firmware::facts(&model)?.precision == "f32" && !board.has_fpu() {
                left_out.push(format!("{} f32: no FPU", board.name));
                continue;
            }
            match measure(repo, board, &options.bin, Some(&model)) {
                Ok(row) => rows.push(row),
                // The build has already printed the reason, most likely that the program does not fit.
                Err(error) => {
                    let reason = format!("{error:#}");
                    let reason = if reason.contains("cargo build") {
                        "it does not build: see the message above"
                    } else {
                        &reason
                    };
                    left_out.push(format!("{} {}: {reason}", board.name, repo.short(&model)));
                }
            }
        }
    }
    if options.json {
        println!("{}", serde_json::Value::from_iter(rows.iter().map(|row| report::to_json(row, &budget))));
    } else {
        print!("{}", report::table(&rows, &budget));
    }
    for reason in &left_out {
        eprintln!("skipped: {reason}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the named model, or the shipped one in every precision.
fn models(repo: &Repo, options: &Options) -> Vec<PathBuf> {
    match &options.model {
        Some(model) => vec![model.clone()],
        None => PRECISIONS.iter().map(|precision| firmware::shipped_model(repo, precision)).collect(),
    }
}

/// Builds a program and measures it. If the installed QEMU has the board, the program runs there to measure its
/// stack.
pub fn measure(repo: &Repo, board: &'static Board, bin: &str, model: Option<&Path>) -> Result<Measured> {
    let model = firmware::model_file(repo, board, bin, model)?;
    let elf = firmware::build(repo, board, bin, Some(&model))?;
    let bytes = fs::read(&elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("cannot read {}", elf.display()))?;
    let mut measured = Measured {
        board: board.name,
        bin: bin.to_owned(),
        precision: firmware::facts(&model)?.precision,
        size: sections::of_elf(&file)?,
        crates: crates::of_elf(&file)?,
        weights: weights::of_elf(&file),
        memory: MemoryMap::read(repo, board)?,
        stack: None,
        facts: BTreeMap::new(),
    };
    let is_emulated = board.machine.is_some() && qemu::lacks(repo, board).is_none();
    if is_emulated && bin == firmware::CONSOLE {
        measured.stack = Some(stack_of_console(repo, board, &elf)?);
    } else if is_emulated {
        let run = emulator::run_quietly(repo, board, &elf, &[], emulator::TIMEOUT)?;
        let (_, facts) = emulator::report(&run.lines);
        let number = |key: &str| facts.get(key).and_then(|value| value.parse::<u64>().ok());
        measured.stack = number("stack_bytes");
        let known = ["state_bytes", "model_ram_bytes", "generation_stack_bytes", "instructions_per_char"];
        measured.facts.extend(known.iter().filter_map(|&key| Some((key, number(key)?))));
    }
    Ok(measured)
}

/// Returns the stack that the console used after a conversation with most of its commands.
fn stack_of_console(repo: &Repo, board: &Board, elf: &Path) -> Result<u64> {
    let mut terminal = Terminal::start(repo, board, elf, None, emulator::TIMEOUT)?;
    terminal.read_to_prompt()?;
    let mut answer = Vec::new();
    for line in ["", "ma", ":score emma", "?", ":bench", ":info"] {
        terminal.send(format!("{line}\r").as_bytes())?;
        answer = terminal.read_to_prompt()?;
    }
    let answer = String::from_utf8_lossy(&answer);
    // The line has the form `stack     1234 bytes used at most, of 5678`.
    let line = answer.lines().find_map(|line| line.strip_prefix("stack "));
    let bytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    bytes.with_context(|| format!("the console did not report its stack: {answer}"))
}
