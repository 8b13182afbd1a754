//! `cargo xtask flash`: writes a program, or a model for the slot, to a board with probe-rs or espflash.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;

use crate::board::{self, Board};
use crate::command::{on_path, show};
use crate::firmware;
use crate::image::Image;
use crate::memory::MemoryMap;
use crate::payload::{Named, Payload};
use crate::repo::Repo;
use crate::slot;
use crate::subcommand::{self, Subcommand};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "flash",
    summary: Some("build a program and write it to a board"),
    help: "\
cargo xtask flash --board NAME [BIN] [--model FILE] [-- OPTIONS]
  Builds a program and writes it to the board with probe-rs, or an esp32c3 with espflash, which
  receives the OPTIONS. Without BIN and FILE the program is console with the shipped int8 model.
cargo xtask flash --board NAME --slot FILE
  Writes a model to the board's slot, the flash region where the console looks for a model.

Boards:
{flashed}
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// Name of the program that talks to the board's debug probe.
pub const PROGRAM: &str = "probe-rs";

/// Program that writes to boards.
struct Flasher {
    program: &'static str,
    /// Advice if the program is missing.
    install: &'static str,
    /// Advice if the program fails.
    check: &'static str,
}

/// Writes through a debug probe.
const PROBE_RS: Flasher = Flasher {
    program: PROGRAM,
    install: "\
`probe-rs` is not on the PATH. It writes programs to boards:
  cargo install probe-rs-tools --locked    (or a finished one: https://probe.rs/docs/getting-started/installation)
Then `probe-rs list` shows the probes that are plugged in. A Pico needs no probe: `cargo xtask uf2 --board pico`.",
    check: "\
If the message above names no probe, check what is plugged in:
  probe-rs list    shows a line for every probe: one on the board (micro:bit, nRF52840-DK), or a separate one
If the list is empty although a probe is plugged in, try a cable that carries data. On Linux, check the permissions:
  https://probe.rs/docs/getting-started/probe-setup has the rules for udev
A Pico needs no probe: `cargo xtask uf2 --board pico`.
With several probes, choose one: `cargo xtask flash ... -- --probe VID:PID`. To unlock and erase a locked chip: `-- --allow-erase-all`.",
};

/// Writes through the boot ROM of Espressif's chips, at the serial port of the board's USB connector.
const ESPFLASH: Flasher = Flasher {
    program: "espflash",
    install: "\
`espflash` is not on the PATH. It writes programs to Espressif's chips:
  cargo install espflash --locked    (or a finished one: https://github.com/esp-rs/espflash/releases)",
    check: "\
If the message above names no serial port, check what is plugged in:
  espflash list-ports    shows a line for every port
If the list is empty although a board is plugged in, try a cable that carries data. On Linux, check the permissions:
your user must be in the group that owns the port, often `dialout`. With several ports, choose one: `cargo xtask flash
... -- --port /dev/ttyACM0`. If the board does not answer, hold its button BOOT while you press and release RESET.",
};

/// The command line.
struct Options {
    payload: Payload,
    /// Options of the program that writes to the board.
    rest: Vec<OsString>,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let (mut named, mut rest) = (Named::default(), Vec::new());
        loop {
            // The rest after `--` goes to the program that writes to the board.
            if args.try_raw_args().is_some_and(|args| args.peek().is_some_and(|arg| arg == "--")) {
                rest = args.raw_args()?.skip(1).collect();
                break;
            }
            match args.next()? {
                Some(Long("board")) => named.board = Some(subcommand::board(&mut args)?),
                Some(Long("model")) => named.model = Some(args.value()?.into()),
                Some(Long("slot")) => named.slot = Some(args.value()?.into()),
                Some(Value(value)) if named.bin.is_none() => named.bin = Some(value.string()?),
                Some(other) => return Err(other.unexpected().into()),
                None => break,
            }
        }
        Ok(Self { payload: named.payload()?, rest })
    }
}

/// Builds a program or model and writes it to the board.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let Options { payload: Payload { board, bin, model, slot }, rest } = options;
    chip(board)?;
    let Some(slot) = slot else {
        let elf = firmware::build(repo, board, bin, model.as_deref())?;
        return program(repo, &elf, rest);
    };
    let (address, bytes) = slot::model_for(board, &MemoryMap::read(repo, board)?, slot)?;
    let file = slot::write(repo, board, &bytes)?;
    PROBE_RS.start(&slot_command(board, address, &file, rest)?)
}

/// Flashes a built program and lets it run.
pub fn program(repo: &Repo, elf: &Path, rest: &[OsString]) -> Result<ExitCode> {
    let image = Image::read(elf)?;
    // After flashing, it would be too late for this check.
    image.check(&MemoryMap::read(repo, image.board)?).context("the chip would not start this program")?;
    if image.board.flasher == Some("espflash") {
        return ESPFLASH.start(&espflash_command(&image, elf, rest)?);
    }
    PROBE_RS.start(&program_command(&image, elf, rest)?)
}

/// Returns the arguments of espflash, which makes the file that Espressif's boot loader starts, and adds the boot
/// loader.
fn espflash_command(image: &Image, elf: &Path, rest: &[OsString]) -> Result<Vec<OsString>> {
    ensure!(
        image.semihosting_calls == 0,
        "{} would stop at its first line: it prints through a debugger, which espflash is not. Flash `console`",
        elf.display()
    );
    let mut args = ["flash", "--chip", chip(image.board)?].map(OsString::from).to_vec();
    args.extend_from_slice(rest);
    args.push(elf.into());
    Ok(args)
}

/// Returns the arguments of probe-rs. A program with semihosting needs a debugger that stays attached, shows the
/// program's output and ends with its status; any other program runs by itself.
fn program_command(image: &Image, elf: &Path, rest: &[OsString]) -> Result<Vec<OsString>> {
    let how: &[&str] = if image.semihosting_calls > 0 { &["run"] } else { &["download", "--verify", "--reset"] };
    let mut args: Vec<OsString> = how.iter().map(OsString::from).collect();
    args.extend(["--chip", chip(image.board)?].map(OsString::from));
    args.extend_from_slice(rest);
    args.push(elf.into());
    Ok(args)
}

fn slot_command(board: &Board, address: u64, file: &Path, rest: &[OsString]) -> Result<Vec<OsString>> {
    let address = format!("{address:#x}");
    let args = ["download", "--verify", "--reset", "--binary-format", "bin", "--base-address", &address, "--chip"];
    let mut args: Vec<OsString> = args.map(OsString::from).to_vec();
    args.push(chip(board)?.into());
    args.extend_from_slice(rest);
    args.push(file.into());
    Ok(args)
}

/// Returns the name that probe-rs or espflash has for the board's chip.
fn chip(board: &Board) -> Result<&'static str> {
    if board.flasher == Some("uf2") {
        bail!("probe-rs cannot write the flash of {}: use `cargo xtask uf2 --board {0}`", board.name);
    }
    board.chip.with_context(|| {
        let flashable = board::names(board::flashable());
        format!(
            "{} runs only in the emulator: use `cargo xtask qemu --board {0}`, or flash one of {flashable}",
            board.name
        )
    })
}

impl Flasher {
    /// Starts the program. If it fails, advice follows its own message.
    fn start(&self, args: &[OsString]) -> Result<ExitCode> {
        let program = on_path(self.program).context(self.install)?;
        let mut command = Command::new(program);
        command.args(args);
        eprintln!("$ {}", show(&command));
        let status: ExitStatus = command.status().with_context(|| format!("cannot start {}", self.program))?;
        if !status.success() {
            eprintln!("\n{}", self.check);
            bail!("{} ended with {status}", self.program);
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let some = options(&["generate", "--board=pico", "--model", "a.blob", "--", "--probe", "1:2"]).unwrap();
        assert_eq!(some.payload.board.name, "pico");
        assert_eq!((some.payload.bin.as_str(), some.payload.model), ("generate", Some(PathBuf::from("a.blob"))));
        assert_eq!(some.rest, ["--probe", "1:2"]);
        for wrong in [&[][..], &["--board=pico", "--slot", "a.blob", "console"], &["--board=pico", "--out", "a"]] {
            assert!(options(wrong).is_err_and(|error| subcommand::is_usage(&error)), "{wrong:?}");
        }
    }

    #[test]
    fn boards_without_a_chip_are_refused() {
        let error = chip(board::find("mps2-an386").unwrap()).unwrap_err().to_string();
        assert!(error.contains("cargo xtask qemu --board mps2-an386") && error.contains("nrf52840-dk"), "{error}");
        let error = chip(board::find("pico2-riscv").unwrap()).unwrap_err().to_string();
        assert!(error.contains("cargo xtask uf2 --board pico2-riscv"), "{error}");
    }

    #[test]
    fn probe_rs_is_told_the_chip_and_the_place() {
        let words = |args: Vec<OsString>| {
            args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        let board = board::find("pico").unwrap();
        let rest = [OsString::from("--probe"), OsString::from("2e8a:000c")];
        assert_eq!(
            words(slot_command(board, 0x1010_0000, Path::new("m.bin"), &rest).unwrap()),
            "download --verify --reset --binary-format bin --base-address 0x10100000 --chip RP2040 --probe 2e8a:000c m.bin"
        );
        let mut image = Image { segments: Vec::new(), board, entry: 0, vector_table: Some(0), semihosting_calls: 0 };
        let command = |image: &Image| words(program_command(image, Path::new("p.elf"), &[]).unwrap());
        assert_eq!(command(&image), "download --verify --reset --chip RP2040 p.elf");
        image.semihosting_calls = 1;
        assert_eq!(command(&image), "run --chip RP2040 p.elf");
    }

    #[test]
    fn espflash_is_told_the_chip() {
        let board = board::find("esp32c3").unwrap();
        let mut image = Image { segments: Vec::new(), board, entry: 0, vector_table: None, semihosting_calls: 0 };
        let rest = [OsString::from("--monitor")];
        let args = espflash_command(&image, Path::new("p.elf"), &rest).unwrap();
        assert_eq!(args, ["flash", "--chip", "esp32c3", "--monitor", "p.elf"]);
        image.semihosting_calls = 1;
        let error = espflash_command(&image, Path::new("p.elf"), &rest).unwrap_err().to_string();
        assert!(error.contains("Flash `console`"), "{error}");
    }
}
