//! An open serial port. Its threads read and write, so that neither the board nor the person waits for the other.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serialport::SerialPort;

use super::BAUD;

/// Wait for a byte, after which a thread looks whether the link still exists.
const POLL: Duration = Duration::from_millis(50);
/// Longest time until a write to a lost port has failed or is counted.
const LAST_WRITE: Duration = Duration::from_secs(2);
/// Number of pieces of input that are read before the first is used.
const READ_AHEAD: usize = 16;

/// A thing that happens in a conversation. The number is that of the link.
#[derive(Debug)]
pub(super) enum Event {
    /// Input was typed or read.
    Typed(Vec<u8>),
    /// The input has ended.
    InputEnded,
    /// The board has sent bytes.
    Received(u32, Vec<u8>),
    /// The port is gone.
    Lost(u32),
}

/// A connection to a board. Dropping it closes the port.
pub(super) struct Link {
    /// Number of the link, the next higher after each reconnection.
    pub(super) number: u32,
    to_board: Sender<Vec<u8>>,
    writer: JoinHandle<()>,
    /// Bytes that the port has not taken yet.
    waiting: Arc<AtomicUsize>,
    is_dropped: Arc<AtomicBool>,
}

impl Link {
    /// Opens a port. Its output is sent to `events`.
    pub(super) fn open(name: &str, number: u32, events: &Sender<Event>) -> serialport::Result<Self> {
        // USB consoles send only to a terminal that is ready (DTR). serialport's defaults are 8N1 without flow control.
        let port = serialport::new(name, BAUD).timeout(POLL).dtr_on_open(true).open()?;
        let reader = port.try_clone()?;
        let (to_board, from_user) = mpsc::channel();
        let (waiting, is_dropped) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (lost, not_sent, ends) = (events.clone(), Arc::clone(&waiting), Arc::clone(&is_dropped));
        let writer = thread::spawn(move || {
            if write(port, &from_user, &not_sent, &ends).is_err() {
                let _ = lost.send(Event::Lost(number));
            }
        });
        let (events, ends) = (events.clone(), Arc::clone(&is_dropped));
        thread::spawn(move || read(reader, number, &events, &ends));
        Ok(Self { number, to_board, writer, waiting, is_dropped })
    }

    /// Sends bytes to the board, without waiting.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        // If the writer has ended, an event says so.
        let _ = self.to_board.send(bytes);
    }

    /// Returns whether the board had taken all bytes when it was lost. The writer may still have to count the last.
    pub(super) fn has_sent_all(&self) -> bool {
        let start = Instant::now();
        while self.waiting() > 0 && !self.writer.is_finished() && start.elapsed() < LAST_WRITE {
            thread::sleep(Duration::from_millis(1));
        }
        self.waiting() == 0
    }

    /// Returns the number of bytes that the port has not taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Relaxed);
    }
}

/// Returns whether a port only had nothing to do.
fn is_only_late(kind: ErrorKind) -> bool {
    [ErrorKind::TimedOut, ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&kind)
}

fn write(
    mut port: Box<dyn SerialPort>,
    bytes: &Receiver<Vec<u8>>,
    waiting: &AtomicUsize,
    is_dropped: &AtomicBool,
) -> std::io::Result<()> {
    for bytes in bytes {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if is_dropped.load(Ordering::Relaxed) {
                return Ok(());
            }
            match port.write(rest) {
                Ok(count) => {
                    waiting.fetch_sub(count, Ordering::Relaxed);
                    rest = &rest[count..];
                }
                Err(error) if is_only_late(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn read(mut port: Box<dyn SerialPort>, number: u32, events: &Sender<Event>, is_dropped: &AtomicBool) {
    let mut bytes = [0; 4096];
    while !is_dropped.load(Ordering::Relaxed) {
        let event = match port.read(&mut bytes) {
            // A port that was unplugged has an end, like a file.
            Ok(0) => Event::Lost(number),
            Ok(count) => Event::Received(number, bytes[..count].to_vec()),
            Err(error) if is_only_late(error.kind()) => continue,
            Err(_) => Event::Lost(number),
        };
        let is_lost = matches!(event, Event::Lost(_));
        if events.send(event).is_err() || is_lost {
            return;
        }
    }
}

/// The input as events. It is read only as far as it is used.
pub(super) struct Input {
    more: Sender<()>,
}

impl Input {
    /// Starts to read.
    pub(super) fn start(mut input: impl Read + Send + 'static, events: &Sender<Event>) -> Self {
        let (more, permission) = mpsc::channel();
        let events = events.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            for () in permission {
                let event = match input.read(&mut bytes) {
                    Ok(0) => Event::InputEnded,
                    Ok(count) => Event::Typed(bytes[..count].to_vec()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => Event::Typed(Vec::new()),
                    Err(_) => Event::InputEnded,
                };
                let has_ended = matches!(event, Event::InputEnded);
                if events.send(event).is_err() || has_ended {
                    return;
                }
            }
        });
        let input = Self { more };
        (0..READ_AHEAD).for_each(|_| input.is_used());
        input
    }

    /// Allows the next read, after an event was used.
    pub(super) fn is_used(&self) {
        // If the input has ended, there is nothing to allow.
        let _ = self.more.send(());
    }
}
