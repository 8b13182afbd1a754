//! The emulated Raspberry Pi Pico: rp2040js, an emulator of the RP2040 that others made, runs the UF2 file that a
//! person copies onto the board. `firmware-example/emulator` connects it to a UART and to a computer on the USB
//! connector.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::command::show;
use crate::emulator::Emulator;
use crate::repo::Repo;
use crate::setup::npm::EMULATOR;
use crate::uart::{Output, PROMPT};

/// Frequency of the emulated processor. A cycle takes 8 ns.
const CLOCK_HZ: u128 = 125_000_000;

/// A connection to the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A wire on the pins of UART 0.
    Uart,
    /// The serial port of a computer on the USB connector.
    Usb,
}

impl Link {
    /// Returns the name on the command line and in the emulator's messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uart => "uart",
            Self::Usb => "usb",
        }
    }
}

/// Something that a person does to the cable or to the terminal program on the computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Pulls the cable. The board has another supply.
    Unplug,
    /// Plugs the cable in again.
    Plug,
    /// Closes the terminal program.
    Close,
    /// Opens the terminal program.
    Open,
    /// Stops the terminal program, which then reads nothing.
    Stop,
    /// Lets the terminal program read again.
    Go,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Unplug => "unplug",
            Self::Plug => "plug",
            Self::Close => "close",
            Self::Open => "open",
            Self::Stop => "stop",
            Self::Go => "go",
        }
    }
}

/// Counters of the emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Instructions since the start.
    pub instructions: u64,
    /// Clock cycles since the start, those of sleep included.
    pub cycles: u64,
    /// Number of times that the light was switched.
    pub toggles: u64,
}

/// A running board.
pub struct Pico {
    stdin: ChildStdin,
    uart: Output,
    usb: Output,
    messages: Receiver<Value>,
    timeout: Duration,
    // The last field, so that the emulator ends after its channels are closed.
    emulator: Emulator,
}

impl Pico {
    /// Starts a UF2 file. Every wait ends after the timeout.
    ///
    /// # Errors
    /// Returns an error if the emulator is not set up or does not start.
    pub fn start(repo: &Repo, uf2: &Path, timeout: Duration) -> Result<Self> {
        let mut node = EMULATOR.node(repo)?;
        node.arg(EMULATOR.path(repo).join("main.js")).arg(uf2);
        eprintln!("$ {}", show(&node));
        let child = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut emulator = Emulator(child.context("cannot start node")?);
        let stdin = emulator.0.stdin.take().context("node has no stdin to type to")?;
        let stdout = emulator.0.stdout.take().context("node has no stdout to read from")?;
        let (to_uart, uart) = mpsc::channel();
        let (to_usb, usb) = mpsc::channel();
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let message = line.ok().and_then(|line| serde_json::from_str(&line).ok());
                if message.is_none_or(|message| distribute(message, &to_uart, &to_usb, &sender).is_none()) {
                    return;
                }
            }
        });
        let [uart, usb] = [uart, usb].map(|received| Output::new(received, timeout));
        Ok(Self { stdin, uart, usb, messages, timeout, emulator })
    }

    fn output(&mut self, link: Link) -> &mut Output {
        match link {
            Link::Uart => &mut self.uart,
            Link::Usb => &mut self.usb,
        }
    }

    /// Types bytes.
    ///
    /// # Errors
    /// Returns an error if the emulator has ended.
    pub fn send(&mut self, link: Link, bytes: &[u8]) -> Result<()> {
        self.command(&json!({ link.name(): hex(bytes) }))
    }

    /// Does something to the cable or the terminal program.
    ///
    /// # Errors
    /// Returns an error if the emulator has ended.
    pub fn act(&mut self, action: Action) -> Result<()> {
        self.command(&json!({ "do": action.name() }))
    }

    fn command(&mut self, command: &Value) -> Result<()> {
        writeln!(self.stdin, "{command}").and_then(|()| self.stdin.flush()).context("the emulator has ended")
    }

    /// Returns everything up to and including the next prompt.
    ///
    /// # Errors
    /// Returns an error if there is no prompt within the timeout.
    pub fn read_to_prompt(&mut self, link: Link) -> Result<Vec<u8>> {
        self.output(link).read_to(PROMPT)
    }

    /// Returns everything up to and including these bytes.
    ///
    /// # Errors
    /// Returns an error if the bytes do not come within the timeout.
    pub fn read_to(&mut self, link: Link, bytes: &[u8]) -> Result<Vec<u8>> {
        self.output(link).read_to(bytes)
    }

    /// Returns everything that has come so far.
    pub fn take(&mut self, link: Link) -> Vec<u8> {
        self.output(link).take()
    }

    /// Waits until the board's clock has advanced.
    ///
    /// # Errors
    /// Returns an error if that takes longer than the timeout.
    pub fn wait(&mut self, time: Duration) -> Result<()> {
        let cycles = u64::try_from(time.as_nanos() * CLOCK_HZ / 1_000_000_000).context("too long")?;
        self.command(&json!({ "run": cycles }))?;
        self.wait_for("ran")
    }

    /// Waits for an event: `configured` (the computer knows the serial port), `reset`.
    ///
    /// # Errors
    /// Returns an error if the event does not happen within the timeout.
    pub fn wait_for(&mut self, event: &str) -> Result<()> {
        while self.message()?["event"] != event {}
        Ok(())
    }

    /// Reads the counters.
    ///
    /// # Errors
    /// Returns an error if the emulator does not answer within the timeout.
    pub fn counts(&mut self) -> Result<Counts> {
        self.command(&json!({ "count": true }))?;
        loop {
            let message = self.message()?;
            let number = |name: &str| message[name].as_f64().map(|number| number as u64);
            if let (Some(instructions), Some(cycles), Some(toggles)) =
                (number("instructions"), number("cycles"), number("toggles"))
            {
                return Ok(Counts { instructions, cycles, toggles });
            }
        }
    }

    /// Returns whether the emulator has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.emulator.0.try_wait().is_ok_and(|status| status.is_some())
    }

    fn message(&mut self) -> Result<Value> {
        self.messages.recv_timeout(self.timeout).context("the emulator sent no message within the time limit")
    }
}

/// Passes a message on. `None` if no one receives any more.
fn distribute(message: Value, uart: &Sender<Vec<u8>>, usb: &Sender<Vec<u8>>, other: &Sender<Value>) -> Option<()> {
    for (link, sender) in [(Link::Uart, uart), (Link::Usb, usb)] {
        if let Some(digits) = message[link.name()].as_str() {
            return sender.send(bytes(digits)?).ok();
        }
    }
    other.send(message).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len() / 2).map(|at| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_digits() {
        assert_eq!(hex(&[0, 0x6d, 0xff]), "006dff");
        assert_eq!(bytes("006dff"), Some(vec![0, 0x6d, 0xff]));
        assert_eq!(bytes("0g"), None);
    }
}
