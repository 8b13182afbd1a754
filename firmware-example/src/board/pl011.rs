//! Arm's PL011 UART, on top of Arm's driver.

use core::ptr::{NonNull, with_exposed_provenance_mut};

use arm_pl011_uart::{PL011Registers, UniqueMmioPointer};

use crate::board::serial::Uart;

/// PL011 that stays enabled.
pub struct Pl011(pub arm_pl011_uart::Uart<'static>);

impl Pl011 {
    /// Returns a handle of the UART without setting it up.
    ///
    /// # Safety
    /// There must be a PL011 at `address`. No other `Pl011` for it may be used from now on.
    #[allow(unsafe_code, reason = "names an address")]
    pub unsafe fn new(address: usize) -> Self {
        let registers = NonNull::new(with_exposed_provenance_mut::<PL011Registers>(address)).unwrap();
        // SAFETY: the caller promises that the UART is there, and that no other code uses it.
        let registers = unsafe { UniqueMmioPointer::new(registers) };
        Self(arm_pl011_uart::Uart::new(registers))
    }
}

impl Uart for Pl011 {
    fn has_received(&mut self) -> bool {
        !self.0.is_rx_fifo_empty()
    }

    fn receive(&mut self) -> u8 {
        loop {
            // Bytes with a line error are skipped.
            if let Ok(Some(byte)) = self.0.read_word() {
                return byte;
            }
        }
    }

    /// A byte with a line error counts as none: `receive` would wait for the next byte.
    fn try_receive(&mut self) -> Option<u8> {
        self.0.read_word().ok().flatten()
    }

    fn send(&mut self, byte: u8) {
        while self.0.is_tx_fifo_full() {}
        self.0.write_word(byte);
    }

    fn flush(&mut self) {
        while self.0.is_busy() {}
    }
}
