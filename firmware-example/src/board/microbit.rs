//! BBC micro:bit: nRF51822 (Cortex-M0), in QEMU.
//!
//! The chip itself has no SysTick: on a real board the stopwatch counts nothing.

use nrf51_pac::{Peripherals, UART0};

use super::serial::{Polled, Uart};

/// Pins of the interface chip, which is the USB serial port: micro:bit schematics, "TGT_TX", "TGT_RX".
const TX_PIN: u32 = 24;
const RX_PIN: u32 = 25;

/// UART 0.
pub type Console = Polled<Uart0>;

/// The clock from the crystal: the internal one, which runs after a reset, is not meant for a UART.
pub fn set_up() -> Console {
    let Peripherals { UART0: uart, GPIO: gpio, CLOCK: clock, .. } = peripherals();
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: 1 starts the task.
    clock.tasks_hfclkstart.write(|w| unsafe { w.bits(1) });
    while clock.events_hfclkstarted.read().bits() == 0 {}
    // High before it is an output: a line at rest.
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: a bit of a pin that nobody else has.
    gpio.outset.write(|w| unsafe { w.bits(1 << TX_PIN) });
    gpio.pin_cnf[TX_PIN as usize].write(|w| w.dir().output());
    gpio.pin_cnf[RX_PIN as usize].write(|w| w.dir().input().input().connect());
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: a pin's number.
    uart.pseltxd.write(|w| unsafe { w.bits(TX_PIN) });
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: a pin's number.
    uart.pselrxd.write(|w| unsafe { w.bits(RX_PIN) });
    uart.baudrate.write(|w| w.baudrate().baud115200());
    uart.enable.write(|w| w.enable().enabled());
    start(&uart);
    Polled(Uart0(uart))
}

/// UART 0 as it is.
pub fn steal() -> Console {
    Polled(Uart0(peripherals().UART0))
}

fn peripherals() -> Peripherals {
    #[allow(unsafe_code, reason = "may be called a second time")]
    // SAFETY: this file alone uses peripherals of this chip; who steals the console no longer uses the first one.
    unsafe {
        Peripherals::steal()
    }
}

/// Sender and receiver on.
fn start(uart: &UART0) {
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: 1 starts the task.
    uart.tasks_starttx.write(|w| unsafe { w.bits(1) });
    #[allow(unsafe_code, reason = "numbers for whole registers")]
    // SAFETY: 1 starts the task.
    uart.tasks_startrx.write(|w| unsafe { w.bits(1) });
}

/// The UART, with the six bytes that wait in it.
pub struct Uart0(UART0);

impl Uart for Uart0 {
    fn has_received(&mut self) -> bool {
        self.0.events_rxdrdy.read().bits() != 0
    }

    fn receive(&mut self) -> u8 {
        while !self.has_received() {}
        // Cleared first: reading the byte raises it again where another waits.
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
