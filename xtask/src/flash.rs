//! `cargo xtask flash`: writes a program, or a model for the slot, to a board: through the USB drive of a Pico or
//! micro:bit, with probe-rs, or with espflash.

mod flasher;
mod way;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use lexopt::prelude::*;

use crate::board::Board;
use crate::drive::Drive;
use crate::firmware::{self, CONSOLE};
use crate::hex;
use crate::image::Image;
use crate::memory::MemoryMap;
use crate::payload::{Built, Named, Payload};
use crate::plugged::Plugged;
use crate::repo::Repo;
use crate::slot;
use crate::subcommand::{self, Subcommand};
use crate::talk;
use crate::uf2;
use way::{Way, Wishes};

pub use crate::probes::PROGRAM;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "flash",
    summary: Some("build a program and write it to a board"),
    help: "\
cargo xtask flash [--board NAME] [BIN] [--model FILE] [-- OPTIONS]
  Finds the board that is plugged in, builds a program and writes it to the board. Without BIN and
  FILE the program is console with the shipped int8 model; then `talk` connects you to it. A Pico
  (hold BOOTSEL while you plug it in) and a micro:bit need no other program: they take a file on
  their USB drive. Debug probes need probe-rs, an esp32c3 needs espflash; they receive the OPTIONS.
cargo xtask flash [--board NAME] --slot FILE
  Writes a model to the board's slot, the flash region where the console looks for a model.

  --board NAME     do not look for the board; needed if several may be plugged in
  --drive FOLDER   use this drive of a Pico or micro:bit
  --yes            do not ask before flashing a board that was found
  --no-talk        do not connect to the console afterwards

Boards:
{flashed}
",
    run: |args| run(&Repo::find(), Options::parse(args)?),
};

/// The command line.
struct Options {
    named: Named,
    /// Folder of the board's drive.
    drive: Option<PathBuf>,
    /// True if a board that was found is flashed without a question.
    yes: bool,
    /// True if no terminal follows.
    no_talk: bool,
    /// Options of the program that writes to the board.
    rest: Vec<OsString>,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let named = Named::default();
        let mut options = Self { named, drive: None, yes: false, no_talk: false, rest: Vec::new() };
        loop {
            // The rest after `--` goes to the program that writes to the board.
            if args.try_raw_args().is_some_and(|args| args.peek().is_some_and(|arg| arg == "--")) {
                options.rest = args.raw_args()?.skip(1).collect();
                break;
            }
            match args.next()? {
                Some(Long("board")) => options.named.board = Some(subcommand::board(&mut args)?),
                Some(Long("model")) => options.named.model = Some(args.value()?.into()),
                Some(Long("slot")) => options.named.slot = Some(args.value()?.into()),
                Some(Long("drive")) => options.drive = Some(args.value()?.into()),
                Some(Long("yes")) => options.yes = true,
                Some(Long("no-talk")) => options.no_talk = true,
                Some(Value(value)) if options.named.bin.is_none() => options.named.bin = Some(value.string()?),
                Some(other) => return Err(other.unexpected().into()),
                None => break,
            }
        }
        options.named.check()?;
        Ok(options)
    }
}

/// Builds a program or model and writes it to the board.
fn run(repo: &Repo, options: Options) -> Result<ExitCode> {
    let Options { named, drive, yes, no_talk, rest } = options;
    let mut plugged = None;
    let board = match named.board {
        Some(board) => board,
        None => plugged.insert(Plugged::look(drive.as_deref())?).board(yes)?,
    };
    let payload = named.for_board(board);
    let has_console = payload.slot.is_some() || payload.bin == CONSOLE;
    let wishes =
        Wishes { drive: drive.as_deref(), rest: &rest, is_slot: payload.slot.is_some(), needs_debugger: !has_console };
    // Before the build, which takes longer than to plug a board in.
    match Way::onto(board, wishes, || plugged.map_or_else(|| Plugged::look(drive.as_deref()), Ok))? {
        Way::Drive(drive) => copy(&drive, board, &payload.build(repo)?)?,
        Way::Flasher => {
            flasher::find(board)?;
            write(repo, &payload, &rest)?;
        }
    }
    let has_monitor = rest.iter().any(|option| option == "--monitor");
    let is_person_there = io::stdin().is_terminal() && io::stdout().is_terminal();
    if no_talk || !has_console || has_monitor || !is_person_there {
        return Ok(ExitCode::SUCCESS);
    }
    // The board is flashed, whatever happens to the terminal.
    talk::after_flash(board).or_else(|error| {
        eprintln!("note: {error:#}");
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes with probe-rs or espflash.
fn write(repo: &Repo, payload: &Payload, rest: &[OsString]) -> Result<()> {
    let Payload { board, bin, model, slot } = payload;
    let Some(slot) = slot else {
        let elf = firmware::build(repo, board, bin, model.as_deref())?;
        return write_checked(repo, &Image::read(&elf)?, &elf, rest);
    };
    let (address, bytes) = slot::model_for(board, &MemoryMap::read(repo, board)?, slot)?;
    flasher::write_slot(board, address, &slot::write(repo, board, &bytes)?, rest)
}

/// Flashes a built program and lets it run.
pub fn program(repo: &Repo, elf: &Path, rest: &[OsString]) -> Result<ExitCode> {
    let image = Image::read(elf)?;
    let wishes = Wishes { rest, needs_debugger: image.semihosting_calls > 0, ..Wishes::default() };
    match Way::onto(image.board, wishes, || Plugged::look(None))? {
        Way::Drive(drive) => {
            let bin = elf.file_stem().unwrap_or_default().to_string_lossy();
            copy(&drive, image.board, &Built::of_program(repo, elf, &bin)?)?;
        }
        Way::Flasher => write_checked(repo, &image, elf, rest)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write_checked(repo: &Repo, image: &Image, elf: &Path, rest: &[OsString]) -> Result<()> {
    // After flashing, it would be too late for this check.
    image.check(&MemoryMap::read(repo, image.board)?).context("the chip would not start this program")?;
    flasher::write_program(image, elf, rest)
}

/// Copies a file onto a board's drive.
fn copy(drive: &Drive, board: &Board, built: &Built) -> Result<()> {
    built.runs_alone()?;
    let (name, file) = match board.uf2_family {
        Some(family) => (format!("{}.uf2", built.name), uf2::write(&built.segments, family)?),
        None => (format!("{}.hex", built.name), hex::write(&built.segments)?.into_bytes()),
    };
    eprintln!("copying {name} onto the {drive} ...");
    drive.copy(&name, &file)?;
    println!("{} is flashed", board.name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let some = options(&["generate", "--board=pico", "--model", "a.blob", "--", "--probe", "1:2"]).unwrap();
        assert_eq!(some.named.board.map(|board| board.name), Some("pico"));
        assert_eq!((some.named.bin.as_deref(), some.named.model), (Some("generate"), Some(PathBuf::from("a.blob"))));
        assert_eq!(some.rest, ["--probe", "1:2"]);
        let found = options(&["--yes", "--no-talk", "--drive", "/media/u"]).unwrap();
        assert!(found.yes && found.no_talk && found.named.board.is_none());
        assert_eq!(found.drive, Some(PathBuf::from("/media/u")));
        for wrong in [&["--slot", "a.blob", "console"][..], &["--board=pico", "--out", "a"], &["--board=none"]] {
            assert!(options(wrong).is_err_and(|error| subcommand::is_usage(&error)), "{wrong:?}");
        }
    }
}
