//! `cargo xtask run-elf`: the runner that `cargo run` uses for a chip's program. Cargo has one runner per target, but
//! several boards share a target: the program itself names its board.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::emulator;
use crate::flash;
use crate::image::Image;
use crate::repo::Repo;
use crate::subcommand::{Subcommand, usage};
use crate::uart;

/// The subcommand, which `.cargo/config.toml` names as the runner of chips' programs.
pub const COMMAND: Subcommand = Subcommand {
    name: "run-elf",
    summary: None,
    help: "\
cargo xtask run-elf ELF [ARGUMENTS]

Runs a built program on its board. Cargo calls this for `cargo run --target CHIP`.
",
    run: |mut args| {
        let mut args = args.raw_args()?;
        let elf = args.next().ok_or_else(|| usage("no program is named: run-elf ELF [ARGUMENTS]"))?;
        run(&Repo::find(), Path::new(&elf), &args.collect::<Vec<_>>())
    },
};

/// Time limit of a year: a program runs until it ends or the user ends it, and a clock cannot count for ever.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);

/// Runs a program on its board: in the emulator, or on the connected board if there is no emulator.
///
/// `rest` is passed to the program in the emulator, or to the program that writes to the board.
fn run(repo: &Repo, elf: &Path, rest: &[OsString]) -> Result<ExitCode> {
    let image = Image::read(elf)?;
    if image.board.machine.is_none() {
        return flash::program(repo, elf, rest);
    }
    if image.semihosting_calls == 0 {
        return uart::talk(repo, image.board, elf, None, emulator::TIMEOUT);
    }
    let text = |argument: &OsString| {
        argument.to_str().map(str::to_owned).with_context(|| format!("argument {argument:?} is not UTF-8"))
    };
    let arguments = rest.iter().map(text).collect::<Result<Vec<_>>>()?;
    Ok(emulator::run(repo, image.board, elf, &arguments, UNLIMITED)?.exit_code())
}
