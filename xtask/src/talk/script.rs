//! The conversation of a pipe, for scripts and tests.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::lines::Lines;
use super::link::{Event, Input};
use super::target::Target;

/// Bytes that the console writes when it waits for a line.
const PROMPT: &[u8] = b"\n> ";

/// Sends the input to the named port and copies the board's output, as `talk --port PORT` does with a pipe.
///
/// # Errors
/// Returns an error if the port does not open, or if the board is gone or does not read before all input is sent.
pub fn run(port: &str, input: impl Read + Send + 'static, output: &mut impl Write, idle: Duration) -> Result<ExitCode> {
    talk(Target::Named(port.to_owned()), input, output, idle)
}

/// Sends the input line by line, each after the prompt or after a quiet time: a UART buffers few bytes and cannot say
/// that it is full. Ends a quiet time after the last line, or with the port.
pub(super) fn talk(
    target: Target,
    input: impl Read + Send + 'static,
    output: &mut impl Write,
    idle: Duration,
) -> Result<ExitCode> {
    let (sender, events) = mpsc::channel();
    let link = target.open(0, &sender)?;
    eprintln!("connected to {target}");
    let input = Input::start(input, &sender);
    let mut lines = Lines::default();
    // The end of the output, which may be a prompt.
    let mut tail = Vec::new();
    let (mut has_ended, mut is_waiting, mut last) = (false, false, Instant::now());
    // Number of reads whose bytes are not all sent.
    let mut reads = 0;
    loop {
        while !is_waiting && let Some(piece) = lines.next() {
            (is_waiting, last) = (piece.is_answered, Instant::now());
            tail.clear();
            link.send(piece.bytes);
        }
        if lines.has_no_piece() {
            (0..std::mem::take(&mut reads)).for_each(|_| input.is_used());
        }
        match events.recv_timeout(idle.saturating_sub(last.elapsed())) {
            Ok(Event::Typed(bytes)) => {
                lines.push(&bytes);
                (reads, last) = (reads + 1, Instant::now());
            }
            Ok(Event::InputEnded) => {
                lines.finish();
                (has_ended, last) = (true, Instant::now());
            }
            Ok(Event::Received(_, bytes)) => {
                last = Instant::now();
                if output.write_all(&bytes).and_then(|()| output.flush()).is_err() {
                    return Ok(ExitCode::SUCCESS);
                }
                tail.extend(bytes);
                tail.drain(..tail.len().saturating_sub(PROMPT.len()));
                is_waiting &= tail != PROMPT;
            }
            Ok(Event::Lost(_)) if has_ended && lines.is_empty() && link.has_sent_all() => return Ok(ExitCode::SUCCESS),
            Ok(Event::Lost(_)) => bail!("the board is gone before all input was sent: plug it in and start again"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                if link.waiting() > 0 {
                    bail!("the board does not read: {} bytes of the input are not sent. Reset it", link.waiting());
                }
                if has_ended && lines.is_empty() {
                    return Ok(ExitCode::SUCCESS);
                }
                (is_waiting, last) = (false, Instant::now());
            }
        }
    }
}
