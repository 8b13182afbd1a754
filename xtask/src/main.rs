//! `cargo xtask …`: the one way to set up, run and test everything in this repository.
//!
//! Continuous integration runs the same commands as a person does. This crate never
//! depends on what it sets up: it builds with nothing but Rust.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use lexopt::prelude::*;

use xtask::board::{self, Board};
use xtask::repo::Repo;
use xtask::{bench, demo, doctor, firmware, setup, size, test};

/// Subcommands and what each does, in the order a newcomer needs them.
const HELP: &str = "\
cargo xtask <command>

  setup                fetch what is missing: libtorch, the ARM targets, QEMU (into .tools/ where possible)
  doctor               show what is there and what is missing, and change nothing
  demo [-- OPTIONS]    train on the names list, export, run on the emulated chip; OPTIONS go to `train`
  qemu [BIN] [--board NAME] [--model FILE] [--timeout SECONDS] [-- KEY=VALUE ...]
                       build a firmware program (generate, name, selftest, kerneltest) and run it on the emulated board
                       (mps2-an386, mps2-an385, microbit, mps2-an500, mps2-an505, mps3-an547)
  size [BIN] [--board NAME] [--model FILE] [--json]
                       flash and static RAM of a firmware program, from its ELF sections
  bench [--board NAME] [--precision f32|int8|int4] [--all] [--record] [--json]
                       instructions per character on every emulated core, against docs/performance.json, which
                       --record rewrites with docs/performance.md; --all: every layout on every core
  bench --host [--json]
                       characters per second on this machine, next to libtorch
  test                 format, lints, docs, no_std build and all tests; what CI runs
  help                 this list
";

/// Exit status for a command line that makes no sense, as most tools have it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().unwrap_or_else(|| "help".into());
    let rest = lexopt::Parser::from_args(args);
    let result = match command.to_string_lossy().as_ref() {
        "setup" => no_options(rest).and_then(|()| setup::run(&Repo::find())),
        "doctor" => no_options(rest).and_then(|()| doctor::run(&Repo::find())),
        "demo" => demo_command(rest),
        "qemu" => qemu_command(rest),
        "size" => size_command(rest),
        "bench" => bench_options(rest).and_then(|options| bench::run(&Repo::find(), &options)),
        "test" => no_options(rest).and_then(|()| test::run(&Repo::find())),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        unknown => {
            eprint!("error: no command `{unknown}`\n\n{HELP}");
            Ok(ExitCode::from(USAGE))
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        if error.is::<lexopt::Error>() {
            eprint!("\n{HELP}");
            return ExitCode::from(USAGE);
        }
        ExitCode::FAILURE
    })
}

/// For commands that take nothing: says so instead of ignoring what was typed.
fn no_options(mut args: lexopt::Parser) -> Result<()> {
    match args.next()? {
        Some(arg) => Err(arg.unexpected().into()),
        None => Ok(()),
    }
}

fn demo_command(mut args: lexopt::Parser) -> Result<ExitCode> {
    // `demo -- --steps 500`: lexopt would read what follows `--` as plain values, which is what
    // is wanted here, so any option before it is a mistake.
    let mut train = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Value(value) => train.push(value),
            option => return Err(option.unexpected().into()),
        }
    }
    demo::run(&Repo::find(), &train)
}

/// What `qemu` and `size` share.
struct FirmwareOptions {
    bin: String,
    board: &'static Board,
    model: Option<PathBuf>,
    timeout: Duration,
    json: bool,
    guest: Vec<String>,
}

impl FirmwareOptions {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut options = Self {
            bin: firmware::DEFAULT_BIN.to_owned(),
            board: board::default(),
            model: None,
            timeout: firmware::TIMEOUT,
            json: false,
            guest: Vec::new(),
        };
        let mut named = false;
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => options.board = board::find(&args.value()?.string()?)?,
                Long("model") => options.model = Some(args.value()?.into()),
                Long("timeout") => options.timeout = Duration::from_secs(args.value()?.parse()?),
                Long("json") => options.json = true,
                // A program's own arguments look like key=value, its name does not, so the
                // order and a forgotten `--` do not matter.
                Value(value) => {
                    let value = value.string()?;
                    if value.contains('=') {
                        options.guest.push(value);
                    } else if named {
                        bail!("`{value}`: one program name, then `-- key=value ...`");
                    } else {
                        options.bin = value;
                        named = true;
                    }
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

fn qemu_command(args: lexopt::Parser) -> Result<ExitCode> {
    let options = FirmwareOptions::parse(args)?;
    if options.json {
        bail!("--json belongs to `size`");
    }
    let repo = Repo::find();
    let elf = firmware::build(&repo, options.board, &options.bin, options.model.as_deref())?;
    let run = firmware::run(&repo, options.board, &elf, &options.guest, options.timeout)?;
    Ok(run.exit_code())
}

fn size_command(args: lexopt::Parser) -> Result<ExitCode> {
    let options = FirmwareOptions::parse(args)?;
    if let Some(argument) = options.guest.first() {
        bail!("`{argument}` belongs to `qemu`");
    }
    let repo = Repo::find();
    let elf = firmware::build(&repo, options.board, &options.bin, options.model.as_deref())?;
    let size = size::of_file(&elf)?;
    if options.json {
        println!("{}", size.to_json());
    } else {
        print!("{size}");
    }
    Ok(ExitCode::SUCCESS)
}

fn bench_options(mut args: lexopt::Parser) -> Result<bench::Options> {
    let mut options = bench::Options::default();
    while let Some(arg) = args.next()? {
        match arg {
            Long("board") => options.board = Some(board::find(&args.value()?.string()?)?),
            Long("precision") => {
                let precision = args.value()?.string()?;
                if !bench::PRECISIONS.contains(&&*precision) {
                    bail!("no precision `{precision}`; there are f32, int8, int4");
                }
                options.precision = Some(precision);
            }
            Long("all") => options.all = true,
            Long("record") => options.record = true,
            Long("json") => options.json = true,
            Long("host") => options.host = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let of_chips =
        [("--board", options.board.is_some()), ("--precision", options.precision.is_some()), ("--all", options.all)];
    for (name, given) in of_chips.into_iter().chain([("--record", options.record)]) {
        if options.host && given {
            bail!("--host measures this machine, with --json and nothing else: {name} is for the boards");
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<FirmwareOptions> {
        FirmwareOptions::parse(lexopt::Parser::from_args(args))
    }

    #[test]
    fn help_names_the_boards() {
        for board in board::BOARDS {
            assert!(HELP.contains(board.name), "{}", board.name);
        }
    }

    #[test]
    fn firmware_options() {
        let none = options(&[]).unwrap();
        assert_eq!(none.bin, firmware::DEFAULT_BIN);
        assert_eq!(none.board, board::default());
        assert!(none.guest.is_empty());

        let all =
            options(&["selftest", "--board", "microbit", "--model", "a.blob", "--timeout=5", "--", "seed=1"]).unwrap();
        assert_eq!(all.bin, "selftest");
        assert_eq!(all.board.name, "microbit");
        assert_eq!(all.model.unwrap(), PathBuf::from("a.blob"));
        assert_eq!(all.timeout, Duration::from_secs(5));
        assert_eq!(all.guest, ["seed=1"]);

        assert!(options(&["one", "two"]).is_err());
        assert!(options(&["--frobnicate"]).is_err());
        assert!(options(&["--board", "none"]).is_err());
    }

    #[test]
    fn bench_options_are_read() {
        let options = |args: &[&str]| bench_options(lexopt::Parser::from_args(args));
        let some = options(&["--board", "microbit", "--precision=int4", "--json"]).unwrap();
        assert_eq!(some.board.unwrap().name, "microbit");
        assert_eq!(some.precision.as_deref(), Some("int4"));
        assert!(some.json && !some.record && !some.all && !some.host);
        assert!(options(&["--host", "--json"]).unwrap().host);
        for other in [&["--board", "microbit"][..], &["--precision", "int8"], &["--all"], &["--record"]] {
            assert!(options(&[&["--host"], other].concat()).is_err(), "{other:?}");
        }
        assert!(options(&["--precision", "int5"]).is_err());
        assert!(options(&["names"]).is_err());
    }
}
