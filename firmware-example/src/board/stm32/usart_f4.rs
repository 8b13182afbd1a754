//! USART of the STM32F4, which buffers one received byte.

use stm32_metapac::usart::Usart;

use crate::board::serial::Uart;

/// USART that is read and written by polling.
pub struct Polling(pub Usart);

/// Switches the USART on.
pub fn enable(usart: Usart, divider: u16) {
    usart.brr().write(|w| w.0 = divider.into());
    usart.cr1().write(|w| {
        w.set_ue(true);
        w.set_te(true);
        w.set_re(true);
    });
}

impl Uart for Polling {
    fn has_received(&mut self) -> bool {
        self.0.sr().read().rxne()
    }

    fn receive(&mut self) -> u8 {
        // Reading the status and then the byte also clears an overrun: RM0090, USART_SR, bit ORE.
        while !self.has_received() {}
        self.0.dr().read().dr() as u8
    }

    fn send(&mut self, byte: u8) {
        while !self.0.sr().read().txe() {}
        self.0.dr().write(|w| w.set_dr(byte.into()));
    }

    fn flush(&mut self) {
        while !self.0.sr().read().tc() {}
    }
}
