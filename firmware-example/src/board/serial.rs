//! Polled UART with the traits of `embedded_io`.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};

/// Operations of a UART on one byte. None of them fails: a byte garbled on the line is read as a wrong character, or
/// skipped.
pub trait Uart {
    /// Returns whether [`Uart::receive`] would return at once.
    fn has_received(&mut self) -> bool;
    /// Waits for the next byte and returns it.
    fn receive(&mut self) -> u8;
    /// Returns the next byte, or `None` if there is none yet.
    fn try_receive(&mut self) -> Option<u8> {
        self.has_received().then(|| self.receive())
    }
    /// Waits for room in the transmit buffer, then sends a byte.
    fn send(&mut self, byte: u8);
    /// Waits until the last byte is on the line. In the emulator that is at once.
    fn flush(&mut self) {}
}

/// Console that waits by polling.
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
