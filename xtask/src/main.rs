//! `cargo xtask …`: the one way to set up, run and test everything in this repository.
//!
//! Continuous integration runs the same commands as a person does. This crate never
//! depends on what it sets up: it builds with nothing but Rust.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use xtask::board::{self, Board};
use xtask::repo::Repo;
use xtask::{
    bench, command, demo, deny, doctor, emulator, firmware, flash, fuzz, miri, mutants, reliability, reproduce, runner,
    setup, size, test, uart, uf2,
};

/// Subcommands and what each does, in the order a newcomer needs them.
const HELP: &str = "\
cargo xtask <command>

  setup                fetch what is missing: libtorch, the ARM targets, QEMU (into .tools/ where possible)
  doctor               show what is there and what is missing, and change nothing
  demo [-- OPTIONS]    train on the names list, export, run on the emulated chip; OPTIONS go to `train`
  qemu [BIN] [--board NAME] [--model FILE] [--timeout SECONDS] [-- KEY=VALUE ...]
                       build a firmware program (generate, name, selftest, kerneltest) and run it on the emulated
                       board (mps2-an386, mps2-an385, microbit, mps2-an500, mps2-an505, mps3-an547,
                       netduinoplus2, lm3s6965evb)
  qemu console [--board NAME] [--model FILE] [--slot FILE]
                       talk to the console on the emulated board's UART; FILE is a model in the slot of its flash.
                       Ctrl-A X ends it
  size [BIN] [--board NAME] [--model FILE] [--all] [--json]
                       flash by sections and by crates, weights, static RAM and stack of a firmware program, against the
                       budget; --all: a row for every board and precision
  flash --board NAME [BIN] [--model FILE] [-- OPTIONS]
                       build a program (console, with the shipped model in 8 bits, unless others are named) and write it
                       to a board, by probe-rs, which gets the OPTIONS: pico, pico2, microbit-v2, nrf52840-dk, microbit,
                       netduinoplus2
  flash --board NAME --slot FILE
                       write a model to the place where the board's console looks for one
  uf2 --board pico|pico2 [BIN] [--model FILE] [--slot FILE] [--out FILE]
                       the same as a file to be copied onto the board's USB drive
  bench [--board NAME] [--precision f32|int8|int4] [--all] [--record] [--json]
                       instructions per character on every emulated core, against docs/performance.json, which
                       --record rewrites with docs/performance.md; --all: every layout on every core
  bench --host [--json]
                       characters per second on this machine, next to libtorch
  fit [--board NAME] [--counts]
                       count networks of many shapes on every emulated core and write exporter/data/costs.json, by which
                       `exporter inspect` predicts; ten to fifteen minutes, two for one board. --counts fits the
                       counts of last time again
  reproduce            build firmware from copies of the sources in two folders: the bytes must be the same
  deny                 licences, sources and known vulnerabilities of all dependencies, by cargo-deny (fetched the first time)
  reliability [--record]
                       make the faults of docs/reliability.md and compare what is said; --record writes it there
  fuzz [--target load|generate|import|words] [--minutes N | --runs N] [--json]
                       any bytes into what reads a model, runs it, or reads word lists and state dicts, with
                       AddressSanitizer (4 minutes, shared by the targets); fails at a crash. Needs a nightly toolchain
  fuzz --minimize [--target NAME]
                       rewrite the committed inputs: the fewest that reach all that the fuzzers have reached
  fuzz --coverage [--json]
                       the lines of the loader that the committed inputs do not reach (by valgrind)
  miri [OPTIONS] [-- NAME ...]
                       the runtime's tests with the portable kernels in Miri, which finds undefined behaviour; OPTIONS go to
                       `cargo miri test` (--test format), names choose tests. Needs a nightly toolchain with miri and rust-src
  mutants [--record] [OPTIONS]
                       change the runtime in one place at a time and see whether its tests notice: the score of each area,
                       and what was missed. OPTIONS go to cargo-mutants (--shard 0/9, --re quant, --iterate, --jobs 2); what
                       runs have found adds up. --report: no run; --record: write docs/mutants.md
  mutants --emulated [WORD ...]
                       the same for kernels of chips, in QEMU, with the faults of tests/faults.toml
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
        "flash" => flash_command(rest),
        "uf2" => uf2_command(rest),
        // For Cargo, which starts chips' programs with it: .cargo/config.toml.
        "run-elf" => run_elf_command(rest),
        "bench" => bench_options(rest).and_then(|options| bench::run(&Repo::find(), &options)),
        "fit" => fit_command(rest),
        "reproduce" => no_options(rest).and_then(|()| reproduce::run(&Repo::find())),
        "deny" => no_options(rest).and_then(|()| deny::run(&Repo::find())),
        "reliability" => reliability_command(rest),
        "fuzz" => fuzz_command(rest),
        "miri" => miri_command(rest),
        "mutants" => mutants_command(rest),
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

fn miri_command(mut args: lexopt::Parser) -> Result<ExitCode> {
    miri::run(&Repo::find(), &miri::Options::parse(args.raw_args()?))
}

fn mutants_command(mut args: lexopt::Parser) -> Result<ExitCode> {
    mutants::run(&Repo::find(), &mutants::Options::parse(args.raw_args()?))
}

/// The exporter's own example does it: what is fitted is what the exporter predicts with.
fn fit_command(mut args: lexopt::Parser) -> Result<ExitCode> {
    let mut options: Vec<OsString> = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Long("counts") => options.push("--counts".into()),
            Long("board") => options.extend(["--board".into(), args.value()?]),
            other => return Err(other.unexpected().into()),
        }
    }
    let repo = Repo::find();
    setup::ensure(&repo, setup::Purpose::Use)?;
    let mut cargo = repo.cargo();
    cargo.args(["run", "--quiet", "--package", "exporter", "--example", "fit", "--"]).args(options);
    command::run(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}

fn reliability_command(mut args: lexopt::Parser) -> Result<ExitCode> {
    let mut record = false;
    while let Some(arg) = args.next()? {
        match arg {
            Long("record") => record = true,
            other => return Err(other.unexpected().into()),
        }
    }
    reliability::run(&Repo::find(), record)
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

/// What the commands that build a program share.
struct FirmwareOptions {
    bin: String,
    board: &'static Board,
    model: Option<PathBuf>,
    slot: Option<PathBuf>,
    timeout: Duration,
    json: bool,
    all: bool,
    guest: Vec<String>,
}

impl FirmwareOptions {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut options = Self {
            bin: firmware::DEFAULT_BIN.to_owned(),
            board: board::default(),
            model: None,
            slot: None,
            timeout: emulator::TIMEOUT,
            json: false,
            all: false,
            guest: Vec::new(),
        };
        let mut named = false;
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => options.board = board::find(&args.value()?.string()?)?,
                Long("model") => options.model = Some(args.value()?.into()),
                Long("slot") => options.slot = Some(args.value()?.into()),
                Long("timeout") => options.timeout = Duration::from_secs(args.value()?.parse()?),
                Long("json") => options.json = true,
                Long("all") => options.all = true,
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
    if options.json || options.all {
        bail!("--json and --all belong to `size`");
    }
    let repo = Repo::find();
    let is_console = options.bin == firmware::CONSOLE;
    if let Some(argument) = options.guest.first().filter(|_| is_console) {
        bail!("`{argument}`: the console has no arguments, it is talked to");
    }
    if options.slot.is_some() && !is_console {
        bail!("--slot: only the console looks there");
    }
    let elf = firmware::build(&repo, options.board, &options.bin, options.model.as_deref())?;
    if is_console {
        return uart::talk(&repo, options.board, &elf, options.slot.as_deref(), options.timeout);
    }
    let run = emulator::run(&repo, options.board, &elf, &options.guest, options.timeout)?;
    Ok(run.exit_code())
}

fn size_command(args: lexopt::Parser) -> Result<ExitCode> {
    let options = FirmwareOptions::parse(args)?;
    if let Some(argument) = options.guest.first() {
        bail!("`{argument}` belongs to `qemu`");
    }
    if options.slot.is_some() {
        bail!("--slot belongs to `qemu`");
    }
    let FirmwareOptions { bin, board, model, all, json, .. } = options;
    size::run(&Repo::find(), &size::Options { bin, board, model, all, json })
}

/// What `flash` and `uf2` are told.
#[derive(Default)]
struct WriteOptions {
    board: Option<&'static Board>,
    bin: Option<String>,
    model: Option<PathBuf>,
    slot: Option<PathBuf>,
    out: Option<PathBuf>,
    rest: Vec<OsString>,
}

impl WriteOptions {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut options = Self::default();
        loop {
            // Behind `--` there is another program's command line.
            if args.try_raw_args().is_some_and(|args| args.peek().is_some_and(|arg| arg == "--")) {
                options.rest = args.raw_args()?.skip(1).collect();
                break;
            }
            match args.next()? {
                Some(Long("board")) => options.board = Some(board::find(&args.value()?.string()?)?),
                Some(Long("model")) => options.model = Some(args.value()?.into()),
                Some(Long("slot")) => options.slot = Some(args.value()?.into()),
                Some(Long("out")) => options.out = Some(args.value()?.into()),
                Some(Value(value)) if options.bin.is_none() => options.bin = Some(value.string()?),
                Some(other) => return Err(other.unexpected().into()),
                None => break,
            }
        }
        if options.slot.is_some() && (options.bin.is_some() || options.model.is_some()) {
            bail!("--slot writes a model by itself: no program, no --model");
        }
        Ok(options)
    }

    fn board(&self) -> Result<&'static Board> {
        self.board.context("which board? --board NAME")
    }

    fn bin(&self) -> String {
        self.bin.clone().unwrap_or_else(|| firmware::CONSOLE.to_owned())
    }
}

fn flash_command(args: lexopt::Parser) -> Result<ExitCode> {
    let options = WriteOptions::parse(args)?;
    if options.out.is_some() {
        bail!("--out belongs to `uf2`");
    }
    let (board, bin) = (options.board()?, options.bin());
    let WriteOptions { model, slot, rest, .. } = options;
    flash::run(&Repo::find(), &flash::Options { board, bin, model, slot, rest })
}

fn uf2_command(args: lexopt::Parser) -> Result<ExitCode> {
    let options = WriteOptions::parse(args)?;
    if let Some(option) = options.rest.first() {
        bail!("`{}` belongs to `flash`", option.to_string_lossy());
    }
    let (board, bin) = (options.board()?, options.bin());
    let WriteOptions { model, slot, out, .. } = options;
    uf2::run(&Repo::find(), &uf2::Options { board, bin, model, slot, out })
}

fn run_elf_command(mut args: lexopt::Parser) -> Result<ExitCode> {
    let mut args = args.raw_args()?;
    let elf = PathBuf::from(args.next().context("run-elf ELF [ARGUMENTS]")?);
    runner::run(&Repo::find(), &elf, &args.collect::<Vec<_>>())
}

fn bench_options(mut args: lexopt::Parser) -> Result<bench::Options> {
    let mut options = bench::Options::default();
    while let Some(arg) = args.next()? {
        match arg {
            Long("board") => options.board = Some(board::find(&args.value()?.string()?)?),
            Long("precision") => {
                let precision = args.value()?.string()?;
                if !firmware::PRECISIONS.contains(&&*precision) {
                    bail!("no precision `{precision}`; there are {}", firmware::PRECISIONS.join(", "));
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

fn fuzz_command(args: lexopt::Parser) -> Result<ExitCode> {
    match fuzz_options(args)? {
        Fuzz::Run(options) => fuzz::run(&Repo::find(), &options),
        Fuzz::Coverage { json } => fuzz::coverage::run(&Repo::find(), json),
    }
}

/// What `fuzz` is told to do.
#[derive(Debug, PartialEq)]
enum Fuzz {
    Run(fuzz::Options),
    Coverage { json: bool },
}

fn fuzz_options(mut args: lexopt::Parser) -> Result<Fuzz> {
    let (mut options, mut minutes, mut coverage) = (fuzz::Options::default(), None, false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("target") => options.target = Some(args.value()?.string()?),
            Long("minutes") => minutes = Some(args.value()?.parse()?),
            Long("runs") => options.runs = Some(args.value()?.parse()?),
            Long("minimize") => options.minimize = true,
            Long("coverage") => coverage = true,
            Long("json") => options.json = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let limited = minutes.is_some() || options.runs.is_some();
    if coverage && (limited || options.minimize || options.target.is_some()) {
        bail!("--coverage takes the committed inputs as they are, with --json and nothing else");
    }
    if (minutes.is_some() && options.runs.is_some()) || (limited && options.minimize) {
        bail!("--minutes, --runs and --minimize: one of them");
    }
    match minutes {
        Some(minutes) if !(0.0..=1e6).contains(&minutes) => bail!("--minutes {minutes}: 0 to 1,000,000"),
        minutes => options.minutes = minutes.unwrap_or(options.minutes),
    }
    Ok(if coverage { Fuzz::Coverage { json: options.json } } else { Fuzz::Run(options) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<FirmwareOptions> {
        FirmwareOptions::parse(lexopt::Parser::from_args(args))
    }

    #[test]
    fn help_names_the_boards() {
        for board in board::BOARDS.iter() {
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
    fn what_to_flash_is_read() {
        let options = |args: &[&str]| WriteOptions::parse(lexopt::Parser::from_args(args));
        let some = options(&["generate", "--board=pico", "--model", "a.blob", "--", "--probe", "1:2"]).unwrap();
        assert_eq!(some.board().unwrap().name, "pico");
        assert_eq!((some.bin().as_str(), some.model), ("generate", Some(PathBuf::from("a.blob"))));
        assert_eq!(some.rest, ["--probe", "1:2"]);
        let slot = options(&["--board", "pico2", "--slot", "a.blob", "--out", "a.uf2"]).unwrap();
        assert_eq!((slot.bin().as_str(), slot.slot), ("console", Some(PathBuf::from("a.blob"))));
        assert!(options(&[]).unwrap().board().is_err());
        assert!(options(&["--slot", "a.blob", "console"]).is_err());
        assert!(options(&["one", "two"]).is_err());
    }

    #[test]
    fn fuzz_options_are_read() {
        let options = |args: &[&str]| fuzz_options(lexopt::Parser::from_args(args));
        let default = fuzz::Options::default();
        assert_eq!(options(&[]).unwrap(), Fuzz::Run(default.clone()));
        let some = fuzz::Options { target: Some("load".to_owned()), minutes: 0.5, json: true, ..default.clone() };
        assert_eq!(options(&["--target", "load", "--minutes=0.5", "--json"]).unwrap(), Fuzz::Run(some));
        assert_eq!(options(&["--runs=7"]).unwrap(), Fuzz::Run(fuzz::Options { runs: Some(7), ..default }));
        assert_eq!(options(&["--coverage", "--json"]).unwrap(), Fuzz::Coverage { json: true });
        for wrong in [
            &["--runs", "7", "--minutes", "1"][..],
            &["--minimize", "--runs", "7"],
            &["--coverage", "--target", "load"],
            &["--minutes", "-1"],
            &["--minutes", "NaN"],
            &["load"],
        ] {
            assert!(options(wrong).is_err(), "{wrong:?}");
        }
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
