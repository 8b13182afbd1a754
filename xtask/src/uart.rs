//! The UART of an emulated board: as a person's terminal, or a test's.

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
use crate::emulator::Emulator;
use crate::memory::MemoryMap;
use crate::repo::Repo;
use crate::setup::qemu::QEMU;
use crate::slot;
use crate::streams;

/// What the console writes when it waits for a line.
const PROMPT: &[u8] = b"\n> ";

/// The emulator's whole command line, with a model in the slot.
fn emulator(repo: &Repo, board: &Board, elf: &Path, slot: Option<&Path>) -> Result<Command> {
    let mut qemu = Command::new(QEMU.file(repo));
    qemu.args(board.qemu_uart_args()?);
    if let Some(slot) = slot {
        let region = MemoryMap::read(repo, board)?.region("SLOT");
        let region = region.with_context(|| format!("no SLOT in the memory map of {}", board.name))?;
        let (bytes, room) = (fs::metadata(slot).map(|file| file.len()), region.end - region.start);
        let bytes = bytes.with_context(|| format!("cannot read {}", slot.display()))?;
        if bytes > room {
            bail!("{} has {bytes} bytes, the slot of {} {room}", slot.display(), board.name);
        }
        let file = slot.display().to_string().replace(',', ",,");
        qemu.arg("-device").arg(format!("loader,file={file},addr={:#x},force-raw=on", region.start));
    }
    qemu.arg("-kernel").arg(elf);
    eprintln!("$ {}", show(&qemu));
    Ok(qemu)
}

/// Connects the console with whoever started us: a person at a terminal, or a file, whose lines are typed one by one.
///
/// A model for the slot is put into the layout of the board's core, as `flash` does; what is no model goes there as it is, and the
/// console says what it thinks of it.
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
        eprintln!("Ctrl-A X ends the emulator; Ctrl-C is for the console.");
        let status = qemu.status().context("cannot start qemu-system-arm: `cargo xtask setup` installs it")?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut terminal = Terminal::start(repo, board, elf, slot, timeout)?;
    streams::result_bytes(&terminal.read_to_prompt()?);
    for line in io::stdin().lock().split(b'\n') {
        let mut line = line?;
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        line.push(b'\r');
        terminal.send(&line)?;
        streams::result_bytes(&terminal.read_to_prompt()?);
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
    received: Receiver<Vec<u8>>,
    /// What has been received and not been read.
    unread: Vec<u8>,
    timeout: Duration,
    // Last: it is ended when nobody listens any more.
    _emulator: Emulator,
}

impl Terminal {
    /// Starts the emulator. Every wait for an answer ends after the timeout.
    ///
    /// # Errors
    /// An emulator that does not start.
    pub fn start(repo: &Repo, board: &Board, elf: &Path, slot: Option<&Path>, timeout: Duration) -> Result<Self> {
        let mut qemu = emulator(repo, board, elf, slot)?;
        let child = qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut emulator = Emulator(child.context("cannot start qemu-system-arm: `cargo xtask setup` installs it")?);
        let stdin = emulator.0.stdin.take().context("no keyboard")?;
        let mut stdout = emulator.0.stdout.take().context("no screen")?;
        let (sender, received) = mpsc::channel();
        // A read cannot be given a timeout, waiting for a channel can.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut bytes)
                && sender.send(bytes[..count].to_vec()).is_ok()
            {}
        });
        Ok(Self { stdin, received, unread: Vec::new(), timeout, _emulator: emulator })
    }

    /// Types.
    ///
    /// # Errors
    /// An emulator that has ended.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stdin.write_all(bytes).and_then(|()| self.stdin.flush()).context("the emulator has ended")
    }

    /// What is written up to the next prompt, and the prompt.
    ///
    /// # Errors
    /// None within the timeout.
    pub fn read_to_prompt(&mut self) -> Result<Vec<u8>> {
        self.read_to(PROMPT)
    }

    /// What is written up to these bytes, and the bytes.
    ///
    /// # Errors
    /// If they are not written within the timeout.
    pub fn read_to(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let end = Instant::now() + self.timeout;
        loop {
            if let Some(at) = self.unread.windows(bytes.len()).position(|window| window == bytes) {
                return Ok(self.unread.drain(..at + bytes.len()).collect());
            }
            match self.received.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(more) => self.unread.extend(more),
                Err(reason) => {
                    let why = match reason {
                        RecvTimeoutError::Timeout => "in time",
                        RecvTimeoutError::Disconnected => "before the emulator ended",
                    };
                    bail!(
                        "{:?} was not written {why}; last came {:?}",
                        String::from_utf8_lossy(bytes),
                        String::from_utf8_lossy(&self.unread)
                    );
                }
            }
        }
    }
}
