//! The conversation of a person at a terminal.

use std::fmt::Arguments;
use std::io::Read;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};

use anyhow::{Context, Result};

use super::keys::Keys;
use super::link::{Event, Input, Link};
use super::target::{LOOK, Target};
use super::{BAUD, Stdout};
use crate::streams;

/// The terminal without its own handling of keys: no echo, no line editing, Ctrl-C as a byte. Dropping it restores the
/// terminal, after an error too.
pub(crate) struct Raw;

impl Raw {
    pub(crate) fn enter() -> Result<Self> {
        crossterm::terminal::enable_raw_mode().context("cannot switch the terminal to raw mode")?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Writes a line of ours between the board's. In raw mode a line feed does not return to the left.
fn note(text: Arguments<'_>) {
    streams::note(format_args!("\r\n[{text}]\r\n"));
}

/// Connects a person's terminal to a board until the person ends it.
pub(super) fn talk(mut target: Target, input: impl Read + Send + 'static) -> Result<ExitCode> {
    let (sender, events) = mpsc::channel();
    let mut link = Some(target.open(0, &sender)?);
    let mut number = 0;
    // Before the invitation to type: the terminal itself would handle the first keys.
    let raw = Raw::enter()?;
    streams::note(format_args!(
        "connected to {target}, {BAUD} baud\r\n\
         Ctrl-] or Ctrl-A X ends; all other keys go to the board, Ctrl-C too. Return shows a prompt.\r\n"
    ));
    let input = Input::start(input, &sender);
    let mut keys = Keys::default();
    loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Typed(typed)) => {
                input.is_used();
                let (bytes, has_ended) = keys.take(&typed);
                // Keys are dropped while there is no board.
                link.as_ref().filter(|_| !bytes.is_empty()).inspect(|link| link.send(bytes.clone()));
                if has_ended {
                    break;
                }
            }
            Ok(Event::InputEnded) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(Event::Received(from, bytes)) if is_of(&link, from) => {
                if std::io::Write::write_all(&mut Stdout, &bytes).is_err() {
                    break;
                }
            }
            Ok(Event::Lost(from)) if is_of(&link, from) => {
                link = None;
                note(format_args!("the board is gone; waiting for it. Ctrl-] ends"));
            }
            // Events of a link that is gone.
            Ok(Event::Received(..) | Event::Lost(_)) => {}
            Err(RecvTimeoutError::Timeout) if link.is_none() => {
                number += 1;
                link = target.open_again(number, &sender);
                link.iter().for_each(|_| note(format_args!("connected to {target}")));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    drop(raw);
    eprintln!();
    Ok(ExitCode::SUCCESS)
}

fn is_of(link: &Option<Link>, number: u32) -> bool {
    link.as_ref().is_some_and(|link| link.number == number)
}
