//! `cargo xtask talk`: a terminal for a board's serial port.
//!
//! ```text
//!  target   which port, before and after the board has gone
//!  link     an open port and its threads            ports  the list of ports
//!  person   a terminal's keys to the board          keys   which keys end the conversation
//!  script   a pipe's lines to the board             lines  cuts the input into lines
//! ```

mod keys;
mod lines;
mod link;
mod person;
pub mod script;
mod target;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use lexopt::prelude::*;

use crate::board::Board;
use crate::streams;
use crate::subcommand::{Subcommand, usage};
pub(crate) use keys::Keys;
pub(crate) use person::Raw;
use target::Target;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "talk",
    summary: Some("connect your terminal to a board's serial port"),
    help: "\
cargo xtask talk [--port PORT] [--idle SECONDS]
  Finds the serial port of the board and connects your terminal to it, at 115,200 baud, 8N1. Every
  key goes to the board, Ctrl-C too. Ctrl-] ends, or Ctrl-A X. If the board is reset or unplugged,
  the connection returns with the board.

  --port PORT       use this port, such as /dev/ttyACM0 or COM3
  --idle SECONDS    with input from a pipe: end after so long without output [default: 2]

  Input from a pipe is sent line by line, each after the prompt: printf 'ma\\n' | cargo xtask talk
",
    run: |args| run(&Options::parse(args)?),
};

/// The console's speed: that of every board's UART. USB ports ignore it.
const BAUD: u32 = 115_200;
/// Default of `--idle`. The longest pause of a console is `:bench` on the slowest chip: 1.4 s for 120 characters on a
/// micro:bit v1 (188,000 instructions per character at 16 MHz).
const IDLE: Duration = Duration::from_secs(2);
/// Values of `--idle`, in seconds: up to a day.
const IDLE_SECONDS: RangeInclusive<f64> = 0.1..=86_400.0;

/// The command line.
struct Options {
    port: Option<String>,
    idle: Duration,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let mut options = Self { port: None, idle: IDLE };
        while let Some(arg) = args.next()? {
            match arg {
                Long("port") => options.port = Some(args.value()?.string()?),
                Long("idle") => options.idle = idle(args.value()?)?,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

fn idle(value: OsString) -> Result<Duration> {
    let seconds: f64 = value.parse()?;
    if !IDLE_SECONDS.contains(&seconds) {
        let (least, most) = IDLE_SECONDS.into_inner();
        return Err(usage(format_args!("--idle is {seconds}: it must be from {least} to {most} seconds")));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn run(options: &Options) -> Result<ExitCode> {
    let target = Target::choose(options.port.clone(), None)?;
    if io::stdin().is_terminal() {
        return person::talk(target, io::stdin());
    }
    script::talk(target, io::stdin(), &mut Stdout, options.idle)
}

/// Connects a person to the board that was just flashed, whose port may take a second to appear.
///
/// # Errors
/// Returns an error if no port is found, or if it cannot be opened.
pub fn after_flash(board: &'static Board) -> Result<ExitCode> {
    let target = Target::choose(None, Some(board)).context("the program is on the board, but `talk` cannot start")?;
    person::talk(target, io::stdin())
}

/// Our stdout. [`streams`] keeps its first error.
struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        streams::result_bytes(bytes);
        if streams::is_lost() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subcommand::is_usage;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let some = options(&["--port=COM3", "--idle", "0.5"]).unwrap();
        assert_eq!((some.port.as_deref(), some.idle), (Some("COM3"), Duration::from_millis(500)));
        assert_eq!(options(&[]).unwrap().idle, IDLE);
        for wrong in [&["--idle", "-1"][..], &["--idle", "NaN"], &["--idle", "soon"], &["--port"], &["/dev/ttyACM0"]] {
            assert!(options(wrong).is_err_and(|error| is_usage(&error)), "{wrong:?}");
        }
    }
}
