//! B-L475E-IOT01A: STM32L475 (Cortex-M4F) at 80 MHz, its highest clock. Reference manual RM0351. QEMU has the board.

use stm32_metapac::gpio::Gpio;
use stm32_metapac::rcc::vals::{Pllm, Plln, Pllr, Pllsrc, Sw};
use stm32_metapac::usart::Usart;
use stm32_metapac::usart::regs::Cr1;
use stm32_metapac::{FLASH, GPIOB, RCC, USART1};

use super::divider;
use crate::board::CLOCK_HZ;

/// USART 1, on PB6 and PB7 to the ST-LINK: UM2153, "Virtual COM port".
pub const USART: Usart = USART1;
pub const PORT: Gpio = GPIOB;
pub const TX: usize = 6;
pub const RX: usize = 7;
/// Number that connects the pins to the USART: datasheet, "Alternate function AF0 to AF7".
pub const ALTERNATE_FUNCTION: u8 = 7;

/// Frequency of the internal oscillator that the PLL multiplies. After a reset the chip runs on another one, of 4 MHz.
const OSCILLATOR_HZ: u32 = 16_000_000;
/// PLL: the oscillator / M * N / R is the core's clock.
const M: u32 = 1;
const N: u32 = 10;
const R: u32 = 2;
/// Wait states of flash.
const LATENCY: u8 = 4;
/// Number of polls for the wait states. The chip has them at once; the emulator has no flash control.
const PATIENCE: u32 = 1_000;

// Limits in voltage range 1, which a reset selects: RM0351, RCC_PLLCFGR and "Dynamic voltage scaling management". Four
// wait states of flash are enough up to 80 MHz: "Read access latency".
const _: () = {
    let input_hz = OSCILLATOR_HZ / M;
    let vco_hz = input_hz * N;
    assert!(4_000_000 <= input_hz && input_hz <= 16_000_000, "the PLL's input is out of range");
    assert!(64_000_000 <= vco_hz && vco_hz <= 344_000_000, "the PLL's oscillator is out of range");
    assert!(vco_hz / R == CLOCK_HZ && CLOCK_HZ <= 80_000_000, "the PLL has another clock than boards.toml");
};

/// Does nothing: the USART buffers only one byte.
pub fn buffer(_control: &mut Cr1) {}

/// Sets the clock, and switches on the port and the USART. Returns the USART's divider.
pub fn set_up() -> u16 {
    // The bus of the USART is not divided.
    const DIVIDER: u16 = divider(CLOCK_HZ);
    RCC.cr().modify(|w| w.set_hsion(true));
    while !RCC.cr().read().hsirdy() {}
    RCC.pllcfgr().write(|w| {
        w.set_pllsrc(Pllsrc::HSI);
        w.set_pllm(Pllm::from_bits(M as u8 - 1));
        w.set_plln(Plln::from_bits(N as u8));
        w.set_pllr(Pllr::DIV2);
    });
    RCC.cr().modify(|w| w.set_pllon(true));
    while !RCC.cr().read().pllrdy() {}
    RCC.pllcfgr().modify(|w| w.set_pllren(true));
    // Wait states for this clock, and the caches that hide them.
    FLASH.acr().write(|w| {
        w.set_latency(LATENCY);
        w.set_prften(true);
        w.set_icen(true);
        w.set_dcen(true);
    });
    let _ = (0..PATIENCE).any(|_| FLASH.acr().read().latency() == LATENCY);
    RCC.cfgr().modify(|w| w.set_sw(Sw::PLL1_R));
    while RCC.cfgr().read().sws() != Sw::PLL1_R {}
    RCC.ahb2enr().modify(|w| w.set_gpioben(true));
    RCC.apb2enr().modify(|w| w.set_usart1en(true));
    DIVIDER
}
