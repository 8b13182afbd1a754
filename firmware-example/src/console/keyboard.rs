//! The console with what has been typed ahead, so that Ctrl-C is seen while words are drawn.

use embedded_io::{ErrorType, Read, ReadReady, Write};

use super::line::CTRL_C;

/// Bytes typed ahead that are kept. Further ones wait in the UART, which on a chip has room for a few at most.
const MAX_AHEAD: usize = 64;

/// A console, and what came from it before anybody asked.
pub struct Keyboard<C> {
    console: C,
    ahead: heapless::Deque<u8, MAX_AHEAD>,
}

impl<C: Read + ReadReady> Keyboard<C> {
    /// Nothing has been typed.
    pub fn new(console: C) -> Self {
        Self { console, ahead: heapless::Deque::new() }
    }

    /// The next byte, as soon as there is one; `None` from a console that has ended, as a file may.
    pub fn next_byte(&mut self) -> Option<u8> {
        if let Some(byte) = self.ahead.pop_front() {
            return Some(byte);
        }
        let mut byte = [0];
        matches!(self.console.read(&mut byte), Ok(1)).then_some(byte[0])
    }

    /// Whether Ctrl-C has been typed. What was typed before it is gone then, as with a terminal's own.
    pub fn is_interrupted(&mut self) -> bool {
        while !self.ahead.is_full() && matches!(self.console.read_ready(), Ok(true)) {
            let mut byte = [0];
            if !matches!(self.console.read(&mut byte), Ok(1)) {
                break;
            }
            if byte[0] == CTRL_C {
                self.ahead.clear();
                return true;
            }
            let _ = self.ahead.push_back(byte[0]);
        }
        false
    }
}

impl<C: ErrorType> ErrorType for Keyboard<C> {
    type Error = C::Error;
}

impl<C: Write> Write for Keyboard<C> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, C::Error> {
        self.console.write(bytes)
    }

    fn flush(&mut self) -> Result<(), C::Error> {
        self.console.flush()
    }
}
