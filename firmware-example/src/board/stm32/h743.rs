//! NUCLEO-H743ZI and NUCLEO-H743ZI2: STM32H743 (Cortex-M7) at 400 MHz. Reference manual RM0433.
//!
//! 400 MHz is the highest clock of every revision of the chip. 480 MHz needs revision V and voltage scale 0.

use stm32_metapac::gpio::Gpio;
use stm32_metapac::pwr::vals::Vos;
use stm32_metapac::rcc::vals::{Hpre, Plldiv, Pllm, Plln, Pllrge, Pllsrc, Pllvcosel, Ppre, Sw};
use stm32_metapac::usart::Usart;
use stm32_metapac::usart::regs::Cr1;
use stm32_metapac::{FLASH, GPIOD, PWR, RCC, USART3};

use super::divider;
use crate::board::CLOCK_HZ;
use crate::chip;

/// USART 3, on PD8 and PD9 to the ST-LINK: UM1974, "USART communication", and UM2407, "Virtual COM port".
pub const USART: Usart = USART3;
pub const PORT: Gpio = GPIOD;
pub const TX: usize = 8;
pub const RX: usize = 9;
/// Number that connects the pins to the USART: datasheet, "Port D alternate functions".
pub const ALTERNATE_FUNCTION: u8 = 7;

/// Frequency of the internal oscillator, which the chip runs on after a reset.
const OSCILLATOR_HZ: u32 = 64_000_000;
/// PLL 1: the oscillator / M * N / P is the core's clock.
const M: u32 = 10;
const N: u32 = 125;
const P: u32 = 2;
/// Frequency of the buses with flash and memory: half of the core's.
const AXI_HZ: u32 = CLOCK_HZ / 2;
/// Frequency of the peripheral buses: half of that.
const APB_HZ: u32 = AXI_HZ / 2;
/// Wait states of flash, and the value for the signals' delay that belongs to them.
const LATENCY: u8 = 2;
const DELAY: u8 = 2;

// Limits in voltage scale 1: RM0433, RCC_PLLCFGR and RCC_PLL1DIVR; datasheet, "General operating conditions"; RM0433,
// "FLASH recommended number of wait states and programming delay": two wait states are enough up to 210 MHz.
const _: () = {
    let input_hz = OSCILLATOR_HZ / M;
    let vco_hz = input_hz * N;
    assert!(4_000_000 <= input_hz && input_hz <= 8_000_000, "the PLL's input is out of the range that is set");
    assert!(192_000_000 <= vco_hz && vco_hz <= 836_000_000, "the PLL's oscillator is out of range");
    assert!(vco_hz / P == CLOCK_HZ && CLOCK_HZ <= 400_000_000, "the PLL has another clock than boards.toml");
    assert!(AXI_HZ <= 200_000_000 && APB_HZ <= 100_000_000, "a bus is too fast");
};

/// Enables the USART's buffers of 16 bytes.
pub fn buffer(control: &mut Cr1) {
    control.set_fifoen(true);
}

/// Sets the voltage, the clock and the caches, and switches on the port and the USART. Returns the USART's divider.
pub fn set_up() -> u16 {
    const DIVIDER: u16 = divider(APB_HZ);
    raise_voltage();
    speed_up();
    // Flash has half of the core's clock and two wait states: code and model come from the caches. Variables and stack
    // are in the DTCM, which is as fast as the core and not cached.
    chip::enable_caches();
    RCC.ahb4enr().modify(|w| w.set_gpioden(true));
    RCC.apb1lenr().modify(|w| w.set_usart3en(true));
    DIVIDER
}

/// Selects voltage scale 1. The chip only accepts it after the supply has been written, here the one on these boards,
/// the chip's own regulator: RM0433, "System supply startup".
fn raise_voltage() {
    PWR.cr3().modify(|w| {
        w.set_scuen(true);
        w.set_ldoen(true);
        w.set_bypass(false);
    });
    while !PWR.csr1().read().actvosrdy() {}
    PWR.d3cr().modify(|w| w.set_vos(Vos::SCALE1));
    while !PWR.d3cr().read().vosrdy() {}
}

/// Sets the core's clock by PLL 1.
fn speed_up() {
    RCC.pllckselr().modify(|w| {
        w.set_pllsrc(Pllsrc::HSI);
        w.set_divm(0, Pllm::from_bits(M as u8));
    });
    RCC.pllcfgr().modify(|w| {
        w.set_pllrge(0, Pllrge::RANGE4);
        w.set_pllvcosel(0, Pllvcosel::WIDE_VCO);
        w.set_divpen(0, true);
        w.set_divqen(0, false);
        w.set_divren(0, false);
    });
    RCC.plldivr(0).modify(|w| {
        w.set_plln(Plln::from_bits(N as u16 - 1));
        w.set_pllp(Plldiv::from_bits(P as u8 - 1));
    });
    RCC.cr().modify(|w| w.set_pllon(0, true));
    while !RCC.cr().read().pllrdy(0) {}
    FLASH.acr().modify(|w| {
        w.set_latency(LATENCY);
        w.set_wrhighfreq(DELAY);
    });
    while FLASH.acr().read().latency() != LATENCY {}
    RCC.d1cfgr().modify(|w| {
        w.set_d1cpre(Hpre::DIV1);
        w.set_hpre(Hpre::DIV2);
        w.set_d1ppre(Ppre::DIV2);
    });
    RCC.d2cfgr().modify(|w| {
        w.set_d2ppre1(Ppre::DIV2);
        w.set_d2ppre2(Ppre::DIV2);
    });
    RCC.d3cfgr().modify(|w| w.set_d3ppre(Ppre::DIV2));
    RCC.cfgr().modify(|w| w.set_sw(Sw::PLL1_P));
    while RCC.cfgr().read().sws() != Sw::PLL1_P {}
}
