//! Console with type-ahead, so that Ctrl-C is noticed while words are drawn.

use embedded_io::{ErrorType, Read, ReadReady, Write};

use super::line::CTRL_C;

/// Number of bytes of type-ahead that are buffered. Further bytes wait in the UART, which on a chip holds only a few.
const MAX_AHEAD: usize = 64;

/// Console with the bytes received but not yet read.
pub struct Keyboard<C> {
    console: C,
    ahead: heapless::Deque<u8, MAX_AHEAD>,
}

impl<C: Read + ReadReady> Keyboard<C> {
    /// Returns a keyboard with nothing typed ahead.
    pub fn new(console: C) -> Self {
        Self { console, ahead: heapless::Deque::new() }
    }

    /// Waits for the next byte and returns it. `None` if the console has ended, as a file may.
    pub fn next_byte(&mut self) -> Option<u8> {
        if let Some(byte) = self.ahead.pop_front() {
            return Some(byte);
        }
        let mut byte = [0];
        matches!(self.console.read(&mut byte), Ok(1)).then_some(byte[0])
    }

    /// Returns whether Ctrl-C has been typed. If so, discards the bytes typed before it, as a terminal does.
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
