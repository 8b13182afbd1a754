//! Connects an emulated board's UART to a person's terminal or to a test.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::board::Board;
use crate::command::show;
use crate::emulator::{Emulator, cannot_start};
use crate::memory::MemoryMap;
use crate::repo::Repo;
use crate::setup::qemu;
use crate::slot;
use crate::streams;

/// Bytes that the console writes when it waits for a line.
pub(crate) const PROMPT: &[u8] = b"\n> ";

/// Returns the emulator's whole command line, with a model in the slot.
fn emulator(repo: &Repo, board: &Board, elf: &Path, slot: Option<&Path>) -> Result<Command> {
    qemu::ensure_has(repo, board)?;
    let mut qemu = Command::new(qemu::of(board).file(repo));
    qemu.args(board.qemu_uart_args()?);
    if let Some(slot) = slot {
        let region = MemoryMap::read(repo, board)?.region("SLOT");
        let region = region.with_context(|| format!("the memory map of {} has no region SLOT", board.name))?;
        let (bytes, room) = (fs::metadata(slot).map(|file| file.len()), region.end - region.start);
        let bytes = bytes.with_context(|| format!("cannot read {}", slot.display()))?;
        if bytes > room {
            bail!("{} has {bytes} bytes, but the slot of {} holds only {room}", slot.display(), board.name);
        }
        let file = slot.display().to_string().replace(',', ",,");
        qemu.arg("-device").arg(format!("loader,file={file},addr={:#x},force-raw=on", region.start));
    }
    qemu.arg("-kernel").arg(elf);
    eprintln!("$ {}", show(&qemu));
    Ok(qemu)
}

/// Connects the console to the user: a person at a terminal, or a file, whose lines are typed one by one.
///
/// A model for the slot is converted to the layout of the board's core, as `flash` does. A file that is not a model is
/// put into the slot unchanged, and the console reports what is wrong with it.
pub fn talk(repo: &Repo, board: &Board, elf: &Path, slot: Option<&Path>, timeout: Duration) -> Result<ExitCode> {
    let mut file = slot.map(Path::to_path_buf);
    if let Some(slot) = slot
        && let Ok((_, bytes)) = slot::model_for(board, &MemoryMap::read(repo, board)?, slot)
    {
        file = Some(slot::write(repo, board, &bytes)?);
    }
    let slot = file.as_deref();
    if io::stdin().is_terminal() {
        let mut qemu = emulator(repo, board, elf, slot)?;
        eprintln!("Ctrl-A X ends the emulator; Ctrl-C goes to the console.");
        let status = qemu.status().with_context(|| cannot_start(board))?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut terminal = Terminal::start(repo, board, elf, slot, timeout)?;
    type_lines(|line| {
        terminal.send(line)?;
        terminal.read_to_prompt()
    })
}

/// Types the lines of stdin one by one, each at a prompt, and prints the answers. `ask` types bytes and returns
/// everything up to the next prompt; the first time it has nothing to type.
pub(crate) fn type_lines(mut ask: impl FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<ExitCode> {
    streams::result_bytes(&ask(&[])?);
    for line in io::stdin().lock().split(b'\n') {
        let mut line = line?;
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        line.push(b'\r');
        streams::result_bytes(&ask(&line)?);
        if streams::is_lost() {
            break;
        }
    }
    println!();
    Ok(ExitCode::SUCCESS)
}

/// A terminal that a program types on.
pub struct Terminal {
    stdin: ChildStdin,
    output: Output,
    // The last field, so that the emulator ends after its channels are closed.
    _emulator: Emulator,
}

impl Terminal {
    /// Starts the emulator. Every wait for an answer ends after the timeout.
    ///
    /// # Errors
    /// Returns an error if the emulator does not start.
    pub fn start(repo: &Repo, board: &Board, elf: &Path, slot: Option<&Path>, timeout: Duration) -> Result<Self> {
        let mut qemu = emulator(repo, board, elf, slot)?;
        let child = qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut emulator = Emulator(child.with_context(|| cannot_start(board))?);
        let stdin = emulator.0.stdin.take().context("QEMU has no stdin to type to")?;
        let mut stdout = emulator.0.stdout.take().context("QEMU has no stdout to read from")?;
        let (sender, received) = mpsc::channel();
        // A read has no timeout, but waiting for a channel has one.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut bytes)
                && sender.send(bytes[..count].to_vec()).is_ok()
            {}
        });
        Ok(Self { stdin, output: Output::new(received, timeout), _emulator: emulator })
    }

    /// Types bytes.
    ///
    /// # Errors
    /// Returns an error if the emulator has ended.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stdin.write_all(bytes).and_then(|()| self.stdin.flush()).context("the emulator has ended")
    }

    /// Returns everything up to and including the next prompt.
    ///
    /// # Errors
    /// Returns an error if there is no prompt within the timeout.
    pub fn read_to_prompt(&mut self) -> Result<Vec<u8>> {
        self.output.read_to(PROMPT)
    }

    /// Returns everything up to and including these bytes.
    ///
    /// # Errors
    /// Returns an error if the console does not write the bytes within the timeout.
    pub fn read_to(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.output.read_to(bytes)
    }
}

/// Output of a console that a thread receives.
pub(crate) struct Output {
    received: Receiver<Vec<u8>>,
    /// Bytes that were received but not yet read.
    unread: Vec<u8>,
    timeout: Duration,
}

impl Output {
    pub(crate) fn new(received: Receiver<Vec<u8>>, timeout: Duration) -> Self {
        Self { received, unread: Vec::new(), timeout }
    }

    /// Returns everything up to and including these bytes.
    ///
    /// # Errors
    /// Returns an error if the console does not write the bytes within the timeout.
    pub(crate) fn read_to(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let end = Instant::now() + self.timeout;
        loop {
            if let Some(at) = self.unread.windows(bytes.len()).position(|window| window == bytes) {
                return Ok(self.unread.drain(..at + bytes.len()).collect());
            }
            match self.received.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(more) => self.unread.extend(more),
                Err(reason) => {
                    let why = match reason {
                        RecvTimeoutError::Timeout => "within the time limit",
                        RecvTimeoutError::Disconnected => "before the emulator ended",
                    };
                    bail!(
                        "the console did not write {:?} {why}; its last output is {:?}",
                        String::from_utf8_lossy(bytes),
                        String::from_utf8_lossy(&self.unread)
                    );
                }
            }
        }
    }

    /// Returns everything that has been received so far.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.unread.extend(self.received.try_iter().flatten());
        std::mem::take(&mut self.unread)
    }
}
