//! BBC micro:bit v2 (nRF52833) and Nordic's nRF52840-DK: Cortex-M4F at 64 MHz, the UART on the USB port of the board's own
//! debugger.
//!
//! The UART is the one without DMA: it holds six bytes until they are asked for, where the newer UARTE would have to be
//! told beforehand how many will come.

use nrf_pac::gpio::vals::{Dir, Input};
use nrf_pac::shared::vals::Connect;
use nrf_pac::uart::vals::{Baudrate, Enable};
use nrf_pac::{CLOCK, P0, P1, UART0, gpio};

use super::serial::{Polled, Uart};

/// A pin: whether it is of port 1, not 0, and its number there.
struct Pin {
    port: bool,
    number: u8,
}

/// To the debugger, and from there. micro:bit v2 schematics, "UART_INT"; nRF52840-DK user guide, "Virtual serial port".
#[cfg(feature = "microbit-v2")]
const PINS: (Pin, Pin) = (Pin { port: false, number: 6 }, Pin { port: true, number: 8 });
#[cfg(feature = "nrf52840-dk")]
const PINS: (Pin, Pin) = (Pin { port: false, number: 6 }, Pin { port: false, number: 8 });

impl Pin {
    fn gpio(&self) -> gpio::Gpio {
        if self.port { P1 } else { P0 }
    }

    fn cnf(&self, direction: Dir, input: Input) {
        self.gpio().pin_cnf(self.number.into()).write(|w| {
            w.set_dir(direction);
            w.set_input(input);
        });
    }
}

/// UART 0.
pub type Console = Polled<Uart0>;

/// The clock from the crystal (32 MHz on both boards): the internal one, which runs after a reset, is not meant for a UART.
pub fn set_up() -> Console {
    CLOCK.tasks_hfclkstart().write_value(1);
    while CLOCK.events_hfclkstarted().read() == 0 {}

    let (tx, rx) = PINS;
    // High before it is an output: a line at rest.
    tx.gpio().outset().write(|w| w.set_pin(tx.number.into(), true));
    tx.cnf(Dir::Output, Input::Disconnect);
    rx.cnf(Dir::Input, Input::Connect);
    UART0.psel().txd().write(|w| {
        w.set_port(tx.port);
        w.set_pin(tx.number);
        w.set_connect(Connect::Connected);
    });
    UART0.psel().rxd().write(|w| {
        w.set_port(rx.port);
        w.set_pin(rx.number);
        w.set_connect(Connect::Connected);
    });
    UART0.baudrate().write(|w| w.set_baudrate(Baudrate::Baud115200));
    UART0.enable().write(|w| w.set_enable(Enable::Enabled));
    UART0.tasks_starttx().write_value(1);
    UART0.tasks_startrx().write_value(1);
    steal()
}

/// UART 0 as it is.
pub fn steal() -> Console {
    Polled(Uart0)
}

/// The UART, with the six bytes that wait in it.
pub struct Uart0;

impl Uart for Uart0 {
    fn has_received(&mut self) -> bool {
        UART0.events_rxdrdy().read() != 0
    }

    fn receive(&mut self) -> u8 {
        while !self.has_received() {}
        // Cleared first: reading the byte raises it again where another waits.
        UART0.events_rxdrdy().write_value(0);
        UART0.rxd().read().rxd()
    }

    fn send(&mut self, byte: u8) {
        UART0.txd().write(|w| w.set_txd(byte));
        while UART0.events_txdrdy().read() == 0 {}
        UART0.events_txdrdy().write_value(0);
    }
}
