//! `cargo xtask qemu`: builds a firmware program and runs it on an emulated board.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use lexopt::prelude::*;

use crate::board::{self, Board};
use crate::emulator;
use crate::firmware;
use crate::repo::Repo;
use crate::setup::qemu;
use crate::subcommand::{self, Subcommand, usage};
use crate::uart;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "qemu",
    summary: Some("build a firmware program and run it on an emulated board"),
    help: "\
cargo xtask qemu [BIN] [--board NAME] [--model FILE] [--timeout SECONDS] [-- KEY=VALUE ...]
  Builds a firmware program (generate, name, selftest, kerneltest; without BIN: generate) and runs
  it on the emulated board. KEY=VALUE are arguments of the program, as in seed=7 'prompt=Mr. M'.
cargo xtask qemu console [--board NAME] [--model FILE] [--slot FILE]
  Connects this terminal to the console on the board's UART. --slot FILE puts a model into the slot
  in the board's flash. Ctrl-A X ends the emulator.

Boards, the default first:
{emulated}
Only with a newer QEMU:
{newer}
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// The command line.
struct Options {
    bin: String,
    board: &'static Board,
    model: Option<PathBuf>,
    slot: Option<PathBuf>,
    timeout: Duration,
    guest: Vec<String>,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let (mut bin, mut board, mut model, mut slot) = (None, board::default(), None, None);
        let (mut timeout, mut guest) = (emulator::TIMEOUT, Vec::new());
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => board = subcommand::board(&mut args)?,
                Long("model") => model = Some(args.value()?.into()),
                Long("slot") => slot = Some(args.value()?.into()),
                Long("timeout") => timeout = Duration::from_secs(args.value()?.parse()?),
                // A program's arguments look like key=value, but its name does not. So their order does not matter, and
                // `--` may be left out.
                Value(value) => {
                    let value = value.string()?;
                    if value.contains('=') {
                        guest.push(value);
                    } else if bin.is_some() {
                        return Err(usage(format!(
                            "unexpected `{value}`: name one program, then its arguments as `-- key=value ...`"
                        )));
                    } else {
                        bin = Some(value);
                    }
                }
                other => return Err(other.unexpected().into()),
            }
        }
        let bin = bin.unwrap_or_else(|| firmware::DEFAULT_BIN.to_owned());
        let is_console = bin == firmware::CONSOLE;
        if let Some(argument) = guest.first().filter(|_| is_console) {
            return Err(usage(format!(
                "unexpected `{argument}`: the console takes no arguments, type its commands at its prompt"
            )));
        }
        if slot.is_some() && !is_console {
            return Err(usage("--slot needs the program console: no other program reads the slot"));
        }
        Ok(Self { bin, board, model, slot, timeout, guest })
    }
}

fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let Options { bin, board, model, slot, timeout, guest } = options;
    // Before the build, which takes a while.
    qemu::ensure_has(repo, board)?;
    let elf = firmware::build(repo, board, bin, model.as_deref())?;
    if bin == firmware::CONSOLE {
        return uart::talk(repo, board, &elf, slot.as_deref(), *timeout);
    }
    Ok(emulator::run(repo, board, &elf, guest, *timeout)?.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
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
        assert_eq!(options(&["console", "--slot", "a.blob"]).unwrap().slot, Some(PathBuf::from("a.blob")));

        for wrong in [
            &["one", "two"][..],
            &["--frobnicate"],
            &["--board", "none"],
            &["console", "seed=1"],
            &["generate", "--slot", "a.blob"],
            &["--json"],
        ] {
            assert!(options(wrong).is_err_and(|error| subcommand::is_usage(&error)), "{wrong:?}");
        }
    }
}
