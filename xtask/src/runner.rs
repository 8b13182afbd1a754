//! `cargo xtask run-elf`: what `cargo run` starts a chip's program with. Cargo knows one runner for a target, which boards
//! share; which board a program is for, it says itself.

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

/// The subcommand. `.cargo/config.toml` names it as the runner of chips' programs.
pub const COMMAND: Subcommand = Subcommand {
    name: "run-elf",
    summary: None,
    help: "\
cargo xtask run-elf ELF [ARGUMENTS]

Runs a built program on its board. Cargo calls this for `cargo run --target CHIP`.
",
    run: |mut args| {
        let mut args = args.raw_args()?;
        let elf = args.next().ok_or_else(|| usage("which program? run-elf ELF [ARGUMENTS]"))?;
        run(&Repo::find(), Path::new(&elf), &args.collect::<Vec<_>>())
    },
};

/// The program runs until it ends, or somebody ends it. A year, because a clock cannot count for ever.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);

/// Runs a program on its board: in the emulator where there is one, else on the board that is plugged in.
///
/// `rest` is for the program where it runs in the emulator, else for probe-rs.
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
