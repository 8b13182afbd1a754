//! USART of the STM32 that came after the F4.

use stm32_metapac::usart::Usart;

use super::family;
use crate::board::serial::Uart;

/// USART that is read and written by polling.
pub struct Polling(pub Usart);

/// Switches the USART on.
pub fn enable(usart: Usart, divider: u16) {
    usart.brr().write(|w| w.0 = divider.into());
    // When bytes arrive faster than they are read, the last one is lost, and there is no error to clear.
    usart.cr3().write(|w| w.set_ovrdis(true));
    // The buffer can only be enabled while the USART is off.
    usart.cr1().write(family::buffer);
    usart.cr1().modify(|w| w.set_ue(true));
    usart.cr1().modify(|w| {
        w.set_te(true);
        w.set_re(true);
    });
}

impl Uart for Polling {
    fn has_received(&mut self) -> bool {
        self.0.isr().read().rxne()
    }

    fn receive(&mut self) -> u8 {
        while !self.has_received() {}
        self.0.rdr().read().dr() as u8
    }

    fn send(&mut self, byte: u8) {
        while !self.0.isr().read().txe() {}
        self.0.tdr().write(|w| w.set_dr(byte.into()));
    }

    fn flush(&mut self) {
        while !self.0.isr().read().tc() {}
    }
}
