//! STM32F405 and STM32F446 at their highest clocks, 168 and 180 MHz. Reference manuals RM0090 (F405) and RM0390 (F446).
//!
//! In the emulator, which has the F405, the core runs at 168 MHz from the start, and the clock control reads as zeros.

use stm32_metapac::flash::vals::Latency;
use stm32_metapac::gpio::Gpio;
use stm32_metapac::rcc::vals::{Pllm, Plln, Pllp, Pllq, Pllsrc, Ppre, Sw};
use stm32_metapac::usart::Usart;
use stm32_metapac::{FLASH, GPIOA, RCC};

use super::divider;
use crate::board::CLOCK_HZ;

pub use chip::{RX, TX, USART};

/// Port of the USART's pins.
pub const PORT: Gpio = GPIOA;
/// Number that connects the pins to the USART: datasheets, "Alternate function".
pub const ALTERNATE_FUNCTION: u8 = 7;

/// Any board with an STM32F405: USART 1, which QEMU connects.
#[cfg(feature = "netduinoplus2")]
mod chip {
    use super::{CLOCK_HZ, RCC, Usart};

    pub const USART: Usart = stm32_metapac::USART1;
    pub const TX: usize = 9;
    pub const RX: usize = 10;
    /// Frequency of APB2, the bus of USART 1.
    pub const USART_HZ: u32 = CLOCK_HZ / super::APB2;
    /// Multiplier of the PLL, from 2 MHz.
    pub const N: u32 = 168;
    /// Divider for USB's 48 MHz.
    pub const Q: u32 = 7;
    /// Highest clock of the core.
    pub const MOST_HZ: u32 = 168_000_000;
    pub const MOST_APB1_HZ: u32 = 42_000_000;
    pub const MOST_APB2_HZ: u32 = 84_000_000;

    pub fn enable_usart() {
        RCC.apb2enr().modify(|w| w.set_usart1en(true));
    }

    /// Does nothing: the voltage after a reset is enough for 168 MHz.
    pub fn raise_voltage() {}
}

/// NUCLEO-F446RE: USART 2, on PA2 and PA3 to the ST-LINK; UM1724, "USART communication".
#[cfg(feature = "nucleo-f446re")]
mod chip {
    use super::{CLOCK_HZ, RCC, Usart};

    pub const USART: Usart = stm32_metapac::USART2;
    pub const TX: usize = 2;
    pub const RX: usize = 3;
    /// Frequency of APB1, the bus of USART 2.
    pub const USART_HZ: u32 = CLOCK_HZ / super::APB1;
    /// Multiplier of the PLL, from 2 MHz.
    pub const N: u32 = 180;
    /// Divider for at most the 48 MHz that USB would take.
    pub const Q: u32 = 8;
    /// Highest clock of the core, in over-drive.
    pub const MOST_HZ: u32 = 180_000_000;
    pub const MOST_APB1_HZ: u32 = 45_000_000;
    pub const MOST_APB2_HZ: u32 = 90_000_000;

    pub fn enable_usart() {
        RCC.apb1enr().modify(|w| w.set_usart2en(true));
    }

    /// Raises the core's voltage. Without over-drive the limit is 168 MHz: RM0390, "Entering Over-drive mode".
    pub fn raise_voltage() {
        use stm32_metapac::PWR;

        RCC.apb1enr().modify(|w| w.set_pwren(true));
        PWR.cr1().modify(|w| w.set_oden(true));
        while !PWR.csr1().read().odrdy() {}
        PWR.cr1().modify(|w| w.set_odswen(true));
        while !PWR.csr1().read().odswrdy() {}
    }
}

/// Frequency of the internal oscillator, which the chip runs on after a reset.
const OSCILLATOR_HZ: u32 = 16_000_000;
/// PLL: the oscillator / M * N / P is the core's clock.
const M: u32 = 8;
const P: u32 = 2;
/// Dividers of the two peripheral buses.
const APB1: u32 = 4;
const APB2: u32 = 2;
/// Number of polls until the PLL is given up. It takes 300 us at most (STM32F405 datasheet, table 38); the polls take
/// several times as long.
const PATIENCE: u32 = 10_000;

// Limits of the PLL: both manuals, RCC_PLLCFGR. Limits of the buses: both datasheets, "General operating conditions".
// Five wait states of flash are enough up to 180 MHz at 3.3 V: both manuals, "Number of wait states according to CPU
// clock (HCLK) frequency".
const _: () = {
    let input_hz = OSCILLATOR_HZ / M;
    let vco_hz = input_hz * chip::N;
    assert!(1_000_000 <= input_hz && input_hz <= 2_000_000, "the PLL's input is out of range");
    assert!(100_000_000 <= vco_hz && vco_hz <= 432_000_000, "the PLL's oscillator is out of range");
    assert!(vco_hz / P == CLOCK_HZ && CLOCK_HZ <= chip::MOST_HZ, "the PLL has another clock than boards.toml");
    assert!(vco_hz / chip::Q <= 48_000_000, "USB's clock is too fast");
    assert!(CLOCK_HZ / APB1 <= chip::MOST_APB1_HZ && CLOCK_HZ / APB2 <= chip::MOST_APB2_HZ, "a bus is too fast");
};

/// Sets the clock, and switches on the port and the USART. Returns the USART's divider.
pub fn set_up() -> u16 {
    const FAST: u16 = divider(chip::USART_HZ);
    const SLOW: u16 = divider(OSCILLATOR_HZ);
    let is_fast = speed_up();
    RCC.ahb1enr().modify(|w| w.set_gpioaen(true));
    chip::enable_usart();
    if is_fast { FAST } else { SLOW }
}

/// Sets the core's clock by the PLL. Returns whether the PLL has started; in the emulator it seems never to start.
fn speed_up() -> bool {
    RCC.pllcfgr().modify(|w| {
        w.set_pllsrc(Pllsrc::HSI);
        w.set_pllm(Pllm::from_bits(M as u8));
        w.set_plln(Plln::from_bits(chip::N as u16));
        w.set_pllp(Pllp::DIV2);
        w.set_pllq(Pllq::from_bits(chip::Q as u8));
    });
    RCC.cr().modify(|w| w.set_pllon(true));
    if !(0..PATIENCE).any(|_| RCC.cr().read().pllrdy()) {
        return false;
    }
    chip::raise_voltage();
    // Wait states for this clock, and the caches that hide them.
    FLASH.acr().write(|w| {
        w.set_latency(Latency::WS5);
        w.set_prften(true);
        w.set_icen(true);
        w.set_dcen(true);
    });
    while FLASH.acr().read().latency() != Latency::WS5 {}
    RCC.cfgr().write(|w| {
        w.set_ppre1(Ppre::DIV4);
        w.set_ppre2(Ppre::DIV2);
        w.set_sw(Sw::PLL1_P);
    });
    while RCC.cfgr().read().sws() != Sw::PLL1_P {}
    true
}
