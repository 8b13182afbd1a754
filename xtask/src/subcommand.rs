//! A subcommand of `cargo xtask`: a name, a help text, and a function that reads its options and runs it.

use std::fmt;
use std::process::ExitCode;

use anyhow::{Error, Result};
use lexopt::prelude::*;

use crate::board::{self, Board};

/// A subcommand of `cargo xtask`.
#[derive(Debug)]
pub struct Subcommand {
    /// Word after `cargo xtask`.
    pub name: &'static str,
    /// Line of `cargo xtask help`; `None` for a subcommand that only Cargo calls.
    pub summary: Option<&'static str>,
    /// Text of `cargo xtask help NAME`. [`Subcommand::help`] replaces `{emulated}`, `{newer}`, `{flashed}`, `{uf2}` and
    /// `{hex}` with names of boards.
    pub help: &'static str,
    /// Reads the options and runs the subcommand.
    pub run: fn(lexopt::Parser) -> Result<ExitCode>,
}

impl Subcommand {
    /// Returns the text of `cargo xtask help NAME`.
    pub fn help(&self) -> String {
        let names = |names: String| format!("{:INDENT$}{names}", "");
        self.help
            .replace("{emulated}", &names(board::wrapped_names(board::emulated(), INDENT, WIDTH)))
            .replace("{newer}", &board::emulated_by_newer().map(newer).collect::<Vec<_>>().join("\n"))
            .replace("{flashed}", &names(board::wrapped_names(board::flashable(), INDENT, WIDTH)))
            .replace("{uf2}", &board::names(board::with_uf2()).replace(", ", "|"))
            .replace("{hex}", &board::names(board::with_hex()).replace(", ", "|"))
    }
}

/// Returns a board that only newer versions of QEMU emulate, and the first version.
fn newer(board: &Board) -> String {
    let (major, minor) = board.machine_since.unwrap_or_default();
    format!("{:INDENT$}{} (QEMU {major}.{minor})", "", board.name)
}

/// Longest line of a help text, in characters.
pub const WIDTH: usize = 100;

/// Indentation of a list of boards, in columns.
const INDENT: usize = 2;

/// An invalid command line. `main` returns exit status 2.
#[derive(Debug)]
pub struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Returns the error of an invalid command line.
pub fn usage(message: impl fmt::Display) -> Error {
    Usage(message.to_string()).into()
}

/// Returns whether an error is about the command line.
pub fn is_usage(error: &Error) -> bool {
    error.is::<Usage>() || error.is::<lexopt::Error>()
}

/// Checks that a subcommand without options has none.
///
/// # Errors
/// Returns an error for the first argument.
pub fn no_options(mut args: lexopt::Parser) -> Result<()> {
    match args.next()? {
        Some(arg) => Err(arg.unexpected().into()),
        None => Ok(()),
    }
}

/// Reads the value of `--board`.
///
/// # Errors
/// Returns an error if there is no value, or no board of that name.
pub fn board(args: &mut lexopt::Parser) -> Result<&'static Board> {
    board::find(&args.value()?.string()?).map_err(usage)
}
