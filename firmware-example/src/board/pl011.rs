//! Arm's UART PL011, by Arm's own driver.

use core::ptr::{NonNull, with_exposed_provenance_mut};

use arm_pl011_uart::{PL011Registers, UniqueMmioPointer};

use crate::board::serial::Uart;

/// A PL011 that stays on.
pub struct Pl011(pub arm_pl011_uart::Uart<'static>);

impl Pl011 {
    /// The UART as it is.
    ///
    /// # Safety
    /// At `address` there is a PL011. No other `Pl011` for it is used from now on.
    #[allow(unsafe_code, reason = "names an address")]
    pub unsafe fn new(address: usize) -> Self {
        let registers = NonNull::new(with_exposed_provenance_mut::<PL011Registers>(address)).unwrap();
        // SAFETY: it is there, as promised, for ever, and nobody else uses it.
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
            // One that was garbled on the line is skipped.
            if let Ok(Some(byte)) = self.0.read_word() {
                return byte;
            }
        }
    }

    fn send(&mut self, byte: u8) {
        while self.0.is_tx_fifo_full() {}
        self.0.write_word(byte);
    }

    fn flush(&mut self) {
        while self.0.is_busy() {}
    }
}
