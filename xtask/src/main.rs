//! `cargo xtask …`: the one way to set up, run and test everything in this repository.
//!
//! Continuous integration runs the same commands as a person. Each subcommand is a module with its own options and
//! help.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

use std::ffi::OsString;
use std::process::ExitCode;

use xtask::SUBCOMMANDS;
use xtask::streams::{finish, note, result};
use xtask::subcommand::{Subcommand, is_usage};

/// Exit status for an invalid command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    finish(run())
}

/// Runs the subcommand that the command line names.
fn run() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let name = args.next().unwrap_or_else(|| "help".into()).to_string_lossy().into_owned();
    let mut rest: Vec<OsString> = args.collect();
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        return help(rest.first().map(|name| name.to_string_lossy()).as_deref());
    }
    let Some(command) = find(&name) else { return unknown(&name) };
    // Arguments after `--` are for another program.
    let own = rest.iter().position(|arg| arg == "--").unwrap_or(rest.len());
    if rest[..own].iter().any(|arg| arg == "--help" || arg == "-h") {
        return help(Some(&name));
    }
    (command.run)(lexopt::Parser::from_args(rest.drain(..))).unwrap_or_else(|error| {
        note(format_args!("error: {error:#}\n"));
        if is_usage(&error) {
            note(format_args!("run `cargo xtask help {name}` for the options\n"));
            return ExitCode::from(USAGE);
        }
        ExitCode::FAILURE
    })
}

fn find(name: &str) -> Option<&'static Subcommand> {
    SUBCOMMANDS.into_iter().find(|command| command.name == name)
}

fn unknown(name: &str) -> ExitCode {
    note(format_args!("error: no command `{name}`: run `cargo xtask help` for a list\n"));
    ExitCode::from(USAGE)
}

/// Prints the list of subcommands, or the help of one.
fn help(name: Option<&str>) -> ExitCode {
    let Some(name) = name else {
        let mut text = "cargo xtask COMMAND\n\n".to_owned();
        for Subcommand { name, summary, .. } in SUBCOMMANDS {
            summary.inspect(|summary| text += &format!("  {name:<13}{summary}\n"));
        }
        text += &format!("  {:<13}show this list, or the options of a command\n\n", "help COMMAND");
        text += "Exit status: 0 success, 1 failure, 2 invalid command line.\n";
        result(format_args!("{text}"));
        return ExitCode::SUCCESS;
    };
    let Some(command) = find(name) else { return unknown(name) };
    result(format_args!("{}", command.help()));
    ExitCode::SUCCESS
}
