//! A polled UART as `embedded_io`'s console.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};

/// What a UART does with one byte. None of it fails: a character that was garbled on the line is a wrong character.
pub trait Uart {
    /// Whether [`Uart::receive`] would return at once.
    fn has_received(&mut self) -> bool;
    /// The next byte, as soon as there is one.
    fn receive(&mut self) -> u8;
    /// Hands over a byte to send, as soon as there is room for it.
    fn send(&mut self, byte: u8);
    /// Waits until the last byte is on the line. The emulator's are at once.
    fn flush(&mut self) {}
}

/// A console that waits by polling.
pub struct Polled<U>(pub U);

impl<U> ErrorType for Polled<U> {
    type Error = Infallible;
}

impl<U: Uart> ReadReady for Polled<U> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.has_received())
    }
}

impl<U: Uart> Read for Polled<U> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = bytes.first_mut() else { return Ok(0) };
        *first = self.0.receive();
        Ok(1)
    }
}

impl<U: Uart> Write for Polled<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        bytes.iter().for_each(|&byte| self.0.send(byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.0.flush();
        Ok(())
    }
}
