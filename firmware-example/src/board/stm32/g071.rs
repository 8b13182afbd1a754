//! NUCLEO-G071RB: STM32G071 (Cortex-M0+) at 64 MHz, its highest clock. Reference manual RM0444.

use stm32_metapac::flash::vals::Latency;
use stm32_metapac::gpio::Gpio;
use stm32_metapac::rcc::vals::{Pllm, Plln, Pllr, Pllsrc, Sw};
use stm32_metapac::usart::Usart;
use stm32_metapac::usart::regs::Cr1;
use stm32_metapac::{FLASH, GPIOA, RCC, USART2};

use super::divider;
use crate::board::CLOCK_HZ;

/// USART 2, on PA2 and PA3 to the ST-LINK: UM2324, "ST-LINK/V2-1 virtual COM port".
pub const USART: Usart = USART2;
pub const PORT: Gpio = GPIOA;
pub const TX: usize = 2;
pub const RX: usize = 3;
/// Number that connects the pins to the USART: datasheet, "Port A alternate function mapping".
pub const ALTERNATE_FUNCTION: u8 = 1;

/// Frequency of the internal oscillator, which the chip runs on after a reset.
const OSCILLATOR_HZ: u32 = 16_000_000;
/// PLL: the oscillator / M * N / R is the core's clock.
const M: u32 = 1;
const N: u32 = 8;
const R: u32 = 2;

// Limits in voltage range 1, which a reset selects: RM0444, RCC_PLLCFGR and "Dynamic voltage scaling management". Two
// wait states of flash are enough up to 64 MHz: "FLASH read access latency".
const _: () = {
    let input_hz = OSCILLATOR_HZ / M;
    let vco_hz = input_hz * N;
    assert!(2_660_000 <= input_hz && input_hz <= 16_000_000, "the PLL's input is out of range");
    assert!(64_000_000 <= vco_hz && vco_hz <= 344_000_000, "the PLL's oscillator is out of range");
    assert!(vco_hz / R == CLOCK_HZ && CLOCK_HZ <= 64_000_000, "the PLL has another clock than boards.toml");
};

/// Enables the USART's buffers of eight bytes.
pub fn buffer(control: &mut Cr1) {
    control.set_fifoen(true);
}

/// Sets the clock, and switches on the port and the USART. Returns the USART's divider.
pub fn set_up() -> u16 {
    // The bus of the USART is not divided.
    const DIVIDER: u16 = divider(CLOCK_HZ);
    RCC.pllcfgr().write(|w| {
        w.set_pllsrc(Pllsrc::HSI);
        w.set_pllm(Pllm::from_bits(M as u8 - 1));
        w.set_plln(Plln::from_bits(N as u8));
        w.set_pllr(Pllr::from_bits(R as u8 - 1));
    });
    RCC.cr().modify(|w| w.set_pllon(true));
    while !RCC.cr().read().pllrdy() {}
    RCC.pllcfgr().modify(|w| w.set_pllren(true));
    // Wait states for this clock, and the cache that hides them.
    FLASH.acr().modify(|w| {
        w.set_latency(Latency::WS2);
        w.set_prften(true);
        w.set_icen(true);
    });
    while FLASH.acr().read().latency() != Latency::WS2 {}
    RCC.cfgr().modify(|w| w.set_sw(Sw::PLL1_R));
    while RCC.cfgr().read().sws() != Sw::PLL1_R {}
    RCC.gpioenr().modify(|w| w.set_gpioaen(true));
    RCC.apbenr1().modify(|w| w.set_usart2en(true));
    DIVIDER
}
