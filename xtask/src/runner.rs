//! `cargo xtask run-elf`: what `cargo run` starts a chip's program with. Cargo knows one runner for a target, which boards
//! share; which board a program is for, it says itself.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command::show;
use crate::emulator;
use crate::flash;
use crate::image::Image;
use crate::repo::Repo;
use crate::setup::qemu::QEMU;
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
    let arguments: Vec<_> = rest.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let mut qemu = emulator::command_line(&QEMU.file(repo), image.board, elf, &arguments)?;
    eprintln!("$ {}", show(&qemu));
    let status = qemu.status().context("cannot start qemu-system-arm: `cargo xtask setup` installs it")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
