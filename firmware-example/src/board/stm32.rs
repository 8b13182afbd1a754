//! Boards with an STM32: ST's NUCLEO-F446RE, NUCLEO-G071RB, NUCLEO-H743ZI and B-L475E-IOT01A, whose debugger passes the
//! USART on as a serial port of its USB connector, and every board with an STM32F405.
//!
//! A file per kind of chip has the clock tree, the USART and its pins. Its constants are checked against the limits of
//! the chip's reference manual when the program is compiled. All clocks come from the internal oscillator: it starts
//! without parts of the board. At room temperature it is accurate to 1 %, which is enough for a UART.

use stm32_metapac::gpio::vals::Moder;

use super::serial::Polled;

#[cfg_attr(feature = "b-l475e-iot01a", path = "stm32/l475.rs")]
#[cfg_attr(any(feature = "netduinoplus2", feature = "nucleo-f446re"), path = "stm32/f4.rs")]
#[cfg_attr(feature = "nucleo-g071rb", path = "stm32/g071.rs")]
#[cfg_attr(feature = "nucleo-h743zi", path = "stm32/h743.rs")]
mod family;
#[cfg_attr(any(feature = "netduinoplus2", feature = "nucleo-f446re"), path = "stm32/usart_f4.rs")]
#[cfg_attr(not(any(feature = "netduinoplus2", feature = "nucleo-f446re")), path = "stm32/usart.rs")]
mod usart;

pub use crate::chip::reset;

/// The board's USART.
pub type Console = Polled<usart::Polling>;

const BAUD: u32 = 115_200;

/// Returns the divider for a USART whose clock has this frequency. With 16 samples per bit, it is the number of clock
/// cycles per bit.
///
/// # Panics
/// Panics if the baud rate would be wrong by more than 0.5 %. Together with the oscillator's 1 % a receiver still reads
/// all ten bits of a byte. For constants that is an error of the compiler.
const fn divider(clock_hz: u32) -> u16 {
    let divider = (clock_hz + BAUD / 2) / BAUD;
    // 16 cycles are one per sample; the register has 16 bits.
    assert!(16 <= divider && divider <= 0xffff, "the USART's clock is too slow or too fast");
    assert!(clock_hz.abs_diff(divider * BAUD) <= clock_hz / 200, "the baud rate is wrong by more than 0.5 %");
    divider as u16
}

/// Sets up the clock, the USART and its pins.
pub fn set_up() -> Console {
    let divider = family::set_up();
    usart::enable(family::USART, divider);
    // Connected after the USART is on: an idle line is high.
    connect(family::TX);
    connect(family::RX);
    steal()
}

/// Connects a pin to the USART.
fn connect(pin: usize) {
    family::PORT.afr(pin / 8).modify(|w| w.set_afr(pin % 8, family::ALTERNATE_FUNCTION));
    family::PORT.moder().modify(|w| w.set_moder(pin, Moder::ALTERNATE));
}

/// Returns a second handle of the USART.
pub fn steal() -> Console {
    Polled(usart::Polling(family::USART))
}
