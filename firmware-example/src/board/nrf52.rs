//! BBC micro:bit v2 (nRF52833) and Nordic's nRF52840-DK: Cortex-M4F at 64 MHz, with the UART on the USB port of the
//! board's debugger.
//!
//! The UART is the one without DMA: it buffers six received bytes. The newer UARTE would need to know the number of
//! bytes beforehand.

use nrf_pac::gpio::vals::{Dir, Input};
use nrf_pac::shared::vals::Connect;
use nrf_pac::uart::vals::{Baudrate, Enable};
use nrf_pac::{CLOCK, P0, P1, UART0, gpio};

use super::serial::{Polled, Uart};

pub use crate::chip::reset;

/// Pin: whether it belongs to port 1 rather than port 0, and its number in the port.
struct Pin {
    port: bool,
    number: u8,
}

/// Pins to and from the debugger. micro:bit v2 schematics, "UART_INT"; nRF52840-DK user guide, "Virtual serial port".
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

/// Sets up the clock and UART 0. The clock comes from the crystal (32 MHz on both boards): the internal oscillator,
/// which runs after a reset, is too inaccurate for a UART.
pub fn set_up() -> Console {
    CLOCK.tasks_hfclkstart().write_value(1);
    while CLOCK.events_hfclkstarted().read() == 0 {}

    let (tx, rx) = PINS;
    // Set high before the pin becomes an output: an idle line is high.
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

/// Returns a second handle of UART 0.
pub fn steal() -> Console {
    Polled(Uart0)
}

/// UART 0, which buffers six received bytes.
pub struct Uart0;

impl Uart for Uart0 {
    fn has_received(&mut self) -> bool {
        UART0.events_rxdrdy().read() != 0
    }

    fn receive(&mut self) -> u8 {
        while !self.has_received() {}
        // Cleared before the byte is read: reading raises the event again if another byte is waiting.
        UART0.events_rxdrdy().write_value(0);
        UART0.rxd().read().rxd()
    }

    fn send(&mut self, byte: u8) {
        UART0.txd().write(|w| w.set_txd(byte));
        while UART0.events_txdrdy().read() == 0 {}
        UART0.events_txdrdy().write_value(0);
    }
}
