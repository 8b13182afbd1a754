//! Netduino Plus 2: STM32F405 (Cortex-M4F), in QEMU, which connects USART 1. Suits any other board with this chip.
//!
//! In the emulator the core runs at 168 MHz from the start, and the clock control reads as zeros. On the chip the code
//! sets the clock to 168 MHz from the internal oscillator, because boards have different crystals.

use stm32f4::stm32f405::{FLASH, Peripherals, RCC, USART1};

use super::CLOCK_HZ;
use super::serial::{Polled, Uart};

pub use crate::chip::reset;

/// USART 1.
pub type Console = Polled<Usart1>;

/// Frequency of the internal oscillator, which the chip runs on after a reset; STM32F405 reference manual (RM0090),
/// 7.2.2. At room temperature it is accurate to 1 %, which is enough for a UART.
const AFTER_RESET_HZ: u32 = 16_000_000;
/// Frequency of the bus of USART 1 after the PLL has started: the highest that the bus allows.
const BUS_HZ: u32 = CLOCK_HZ / 2;
/// PLL factors, from the internal oscillator: 16 MHz / 8 * 168 / 2 = 168 MHz, and / 7 = 48 MHz for USB. RM0090, 7.3.2,
/// fields M, N, Q; P is 0 for / 2.
const PLL: u32 = 8 | 168 << 6 | 7 << 24;
const _: () = assert!(CLOCK_HZ == 168_000_000, "the PLL is set to 168 MHz");
/// Number of polls until the PLL is given up. It takes 300 us at most (datasheet, table 38); the polls take several
/// times as long.
const PATIENCE: u32 = 10_000;

/// Sets up USART 1 on pins PA9 and PA10.
pub fn set_up() -> Console {
    let Peripherals { RCC: rcc, FLASH: flash, GPIOA: gpio, USART1: usart, .. } = peripherals();
    let bus_hz = if speed_up(&rcc, &flash) { BUS_HZ } else { AFTER_RESET_HZ };
    rcc.ahb1enr().modify(|_, w| w.gpioaen().enabled());
    rcc.apb2enr().modify(|_, w| w.usart1en().enabled());
    // Alternate function 7: STM32F405 datasheet, table 9.
    gpio.afrh().modify(|_, w| w.afrh9().af7().afrh10().af7());
    gpio.moder().modify(|_, w| w.moder9().alternate().moder10().alternate());
    #[allow(unsafe_code, reason = "a number for a whole register")]
    // SAFETY: any divider is valid. With 16 samples per bit, the divider is the number of clock cycles per bit.
    usart.brr().write(|w| unsafe { w.bits((bus_hz / 115_200) as u16) });
    usart.cr1().write(|w| w.ue().enabled().te().enabled().re().enabled());
    Polled(Usart1(usart))
}

/// Sets the clock to 168 MHz by the PLL. Returns whether the PLL has started; in the emulator it seems never to start.
fn speed_up(rcc: &RCC, flash: &FLASH) -> bool {
    #[allow(unsafe_code, reason = "a number for a whole register")]
    // SAFETY: the PLL is off, and every clock on the way from 16 to 168 MHz is within the limits of the manual.
    rcc.pllcfgr().write(|w| unsafe { w.bits(PLL) });
    rcc.cr().modify(|_, w| w.pllon().on());
    if !(0..PATIENCE).any(|_| rcc.cr().read().pllrdy().is_ready()) {
        return false;
    }
    // Flash wait states for this clock at 3.3 V, and the caches that hide them: RM0090, 3.5.1.
    flash.acr().write(|w| w.latency().ws5().prften().enabled().icen().enabled().dcen().enabled());
    while !flash.acr().read().latency().is_ws5() {}
    rcc.cfgr().write(|w| w.ppre1().div4().ppre2().div2().sw().pll());
    while !rcc.cfgr().read().sws().is_pll() {}
    true
}

/// Returns a second handle of USART 1.
pub fn steal() -> Console {
    Polled(Usart1(peripherals().USART1))
}

fn peripherals() -> Peripherals {
    #[allow(unsafe_code, reason = "may be called a second time")]
    // SAFETY: only this file uses peripherals of this chip. A caller that steals the console no longer uses the first
    // handle.
    unsafe {
        Peripherals::steal()
    }
}

/// USART 1.
pub struct Usart1(USART1);

impl Uart for Usart1 {
    fn has_received(&mut self) -> bool {
        self.0.sr().read().rxne().bit()
    }

    fn receive(&mut self) -> u8 {
        while !self.has_received() {}
        self.0.dr().read().bits() as u8
    }

    fn send(&mut self, byte: u8) {
        while self.0.sr().read().txe().bit_is_clear() {}
        self.0.dr().write(|w| w.dr().set(byte.into()));
    }

    fn flush(&mut self) {
        while self.0.sr().read().tc().bit_is_clear() {}
    }
}
