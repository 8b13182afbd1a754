//! Netduino Plus 2: STM32F405 (Cortex-M4F), in QEMU, which connects USART 1, and any other board with that chip.
//!
//! The emulator has the core's clock at 168 MHz from the start, and a clock control that reads as zeros. The chip's is set
//! to as much, from the internal oscillator: the crystals of such boards differ.

use stm32f4::stm32f405::{FLASH, Peripherals, RCC, USART1};

use super::CLOCK_HZ;
use super::serial::{Polled, Uart};

/// USART 1.
pub type Console = Polled<Usart1>;

/// The internal oscillator, which a chip runs on after a reset; STM32F405 reference manual (RM0090), 7.2.2. At room
/// temperature it is right to 1 %, which a UART takes.
const AFTER_RESET_HZ: u32 = 16_000_000;
/// The bus of USART 1, once the PLL runs: its most.
const BUS_HZ: u32 = CLOCK_HZ / 2;
/// From the internal oscillator 16 MHz / 8 * 168 / 2 = 168 MHz, and / 7 = 48 MHz for USB: RM0090, 7.3.2, fields M, N, Q; P is
/// 0 for / 2.
const PLL: u32 = 8 | 168 << 6 | 7 << 24;
const _: () = assert!(CLOCK_HZ == 168_000_000, "the PLL is set to 168 MHz");
/// How often the PLL is asked whether it runs: it takes 300 us at most (datasheet, table 38), this a few times as long.
const PATIENCE: u32 = 10_000;

/// USART 1, on the pins PA9 and PA10.
pub fn set_up() -> Console {
    let Peripherals { RCC: rcc, FLASH: flash, GPIOA: gpio, USART1: usart, .. } = peripherals();
    let bus_hz = if speed_up(&rcc, &flash) { BUS_HZ } else { AFTER_RESET_HZ };
    rcc.ahb1enr().modify(|_, w| w.gpioaen().enabled());
    rcc.apb2enr().modify(|_, w| w.usart1en().enabled());
    // Alternate function 7: STM32F405 datasheet, table 9.
    gpio.afrh().modify(|_, w| w.afrh9().af7().afrh10().af7());
    gpio.moder().modify(|_, w| w.moder9().alternate().moder10().alternate());
    #[allow(unsafe_code, reason = "a number for a whole register")]
    // SAFETY: any divider may be set. Sampled 16 times a bit, it is the number of clocks of a bit.
    usart.brr().write(|w| unsafe { w.bits((bus_hz / 115_200) as u16) });
    usart.cr1().write(|w| w.ue().enabled().te().enabled().re().enabled());
    Polled(Usart1(usart))
}

/// The clock from the PLL: whether it runs. In the emulator nothing seems to.
fn speed_up(rcc: &RCC, flash: &FLASH) -> bool {
    #[allow(unsafe_code, reason = "a number for a whole register")]
    // SAFETY: the PLL does not run, and all on the way from 16 to 168 MHz is inside of what the manual allows.
    rcc.pllcfgr().write(|w| unsafe { w.bits(PLL) });
    rcc.cr().modify(|_, w| w.pllon().on());
    if !(0..PATIENCE).any(|_| rcc.cr().read().pllrdy().is_ready()) {
        return false;
    }
    // As many waits as flash needs at this clock and 3.3 V, and what hides them: RM0090, 3.5.1.
    flash.acr().write(|w| w.latency().ws5().prften().enabled().icen().enabled().dcen().enabled());
    while !flash.acr().read().latency().is_ws5() {}
    rcc.cfgr().write(|w| w.ppre1().div4().ppre2().div2().sw().pll());
    while !rcc.cfgr().read().sws().is_pll() {}
    true
}

/// USART 1 as it is.
pub fn steal() -> Console {
    Polled(Usart1(peripherals().USART1))
}

fn peripherals() -> Peripherals {
    #[allow(unsafe_code, reason = "may be called a second time")]
    // SAFETY: this file alone uses peripherals of this chip; who steals the console no longer uses the first one.
    unsafe {
        Peripherals::steal()
    }
}

/// The UART.
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
