//! The programs that write to boards, and their arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail, ensure};

use crate::board::{self, Board};
use crate::command::{on_path, show};
use crate::image::Image;
use crate::probes;

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
    program: probes::PROGRAM,
    install: "\
`probe-rs` is not on the PATH. It writes programs to boards:
  cargo install probe-rs-tools --locked    (or a finished one: https://probe.rs/docs/getting-started/installation)
Then `probe-rs list` shows the probes that are plugged in. A Pico and a micro:bit need no probe: their USB drives take
programs, `cargo xtask flash` finds them.",
    check: "\
If the message above names no probe, check what is plugged in:
  probe-rs list    shows a line for every probe: one on the board (micro:bit, nRF52840-DK), or a separate one
If the list is empty although a probe is plugged in, try a cable that carries data. On Linux, check the permissions:
  https://probe.rs/docs/getting-started/probe-setup has the rules for udev
A Pico needs no probe: hold BOOTSEL while you plug it in, then try again.
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

/// Checks that the program that writes to a board is installed.
pub(super) fn find(board: &Board) -> Result<()> {
    let flasher = if board.flasher == Some(ESPFLASH.program) { ESPFLASH } else { PROBE_RS };
    flasher.find().map(|_| ())
}

/// Writes a program to its board with espflash or probe-rs. If the program needs a debugger, probe-rs shows its output.
pub(super) fn write_program(image: &Image, elf: &Path, rest: &[OsString]) -> Result<()> {
    if image.board.flasher == Some(ESPFLASH.program) {
        return ESPFLASH.start(&espflash_command(image, elf, rest)?);
    }
    PROBE_RS.start(&program_command(image, elf, rest)?)
}

/// Writes a model to the board's slot with probe-rs.
pub(super) fn write_slot(board: &Board, address: u64, file: &Path, rest: &[OsString]) -> Result<()> {
    PROBE_RS.start(&slot_command(board, address, file, rest)?)
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
pub(super) fn chip(board: &Board) -> Result<&'static str> {
    board.chip.with_context(|| {
        let flashable = board::names(board::flashable());
        format!(
            "{} runs only in the emulator: use `cargo xtask qemu --board {0}`, or flash one of {flashable}",
            board.name
        )
    })
}

impl Flasher {
    fn find(&self) -> Result<PathBuf> {
        on_path(self.program).context(self.install)
    }

    /// Starts the program. If it fails, advice follows its own message.
    fn start(&self, args: &[OsString]) -> Result<()> {
        let mut command = Command::new(self.find()?);
        command.args(args);
        eprintln!("$ {}", show(&command));
        let status: ExitStatus = command.status().with_context(|| format!("cannot start {}", self.program))?;
        if !status.success() {
            eprintln!("\n{}", self.check);
            bail!("{} ended with {status}", self.program);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;

    #[test]
    fn boards_without_a_chip_are_refused() {
        let error = chip(board::find("mps2-an386").unwrap()).unwrap_err().to_string();
        assert!(error.contains("cargo xtask qemu --board mps2-an386") && error.contains("nrf52840-dk"), "{error}");
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
