//! BBC micro:bit: nRF51822 (Cortex-M0), in QEMU.
//!
//! The chip itself has no SysTick, so that on a real board the stopwatch does not count.

use nrf51_pac::{Peripherals, UART0};

use super::serial::{Polled, Uart};

pub use crate::chip::reset;

/// Pins that lead to the interface chip, which is the USB serial port: micro:bit schematics, "TGT_TX", "TGT_RX".
const TX_PIN: u32 = 24;
const RX_PIN: u32 = 25;

/// UART 0.
pub type Console = Polled<Uart0>;

/// Sets up the clock and UART 0. The clock comes from the crystal: the internal oscillator, which runs after a reset,
/// is too inaccurate for a UART.
pub fn set_up() -> Console {
    let Peripherals { UART0: uart, GPIO: gpio, CLOCK: clock, .. } = peripherals();
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: 1 starts the task.
    clock.tasks_hfclkstart.write(|w| unsafe { w.bits(1) });
    while clock.events_hfclkstarted.read().bits() == 0 {}
    // Set high before the pin becomes an output: an idle line is high.
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: the bit of a pin that only the UART uses.
    gpio.outset.write(|w| unsafe { w.bits(1 << TX_PIN) });
    gpio.pin_cnf[TX_PIN as usize].write(|w| w.dir().output());
    gpio.pin_cnf[RX_PIN as usize].write(|w| w.dir().input().input().connect());
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: a valid pin number.
    uart.pseltxd.write(|w| unsafe { w.bits(TX_PIN) });
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: a valid pin number.
    uart.pselrxd.write(|w| unsafe { w.bits(RX_PIN) });
    uart.baudrate.write(|w| w.baudrate().baud115200());
    uart.enable.write(|w| w.enable().enabled());
    start(&uart);
    Polled(Uart0(uart))
}

/// Returns a second handle of UART 0.
pub fn steal() -> Console {
    Polled(Uart0(peripherals().UART0))
}

fn peripherals() -> Peripherals {
    #[allow(unsafe_code, reason = "may be called a second time")]
    // SAFETY: only this file uses peripherals of this chip. A caller that steals the console no longer uses the first
    // handle.
    unsafe {
        Peripherals::steal()
    }
}

/// Starts transmitter and receiver.
fn start(uart: &UART0) {
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: 1 starts the task.
    uart.tasks_starttx.write(|w| unsafe { w.bits(1) });
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: 1 starts the task.
    uart.tasks_startrx.write(|w| unsafe { w.bits(1) });
}

/// UART 0, which buffers six received bytes.
pub struct Uart0(UART0);

impl Uart for Uart0 {
    fn has_received(&mut self) -> bool {
        self.0.events_rxdrdy.read().bits() != 0
    }

    fn receive(&mut self) -> u8 {
        while !self.has_received() {}
        // Cleared before the byte is read: reading raises the event again if another byte is waiting.
        self.0.events_rxdrdy.reset();
        self.0.rxd.read().rxd().bits()
    }

    fn send(&mut self, byte: u8) {
        #[allow(unsafe_code, reason = "a number for a whole register")]
        // SAFETY: any byte can be sent.
        self.0.txd.write(|w| unsafe { w.txd().bits(byte) });
        while self.0.events_txdrdy.read().bits() == 0 {}
        self.0.events_txdrdy.reset();
    }
}
