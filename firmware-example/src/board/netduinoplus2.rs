//! Netduino Plus 2: STM32F405 (Cortex-M4F), in QEMU, which connects USART 1.
//!
//! The emulator has the core's clock at 168 MHz from the start, and no clock control that could be asked. The chip would
//! run on its internal 16 MHz, by which the UART's divider is chosen, and which the emulator does not look at.

use stm32f4::stm32f405::{Peripherals, USART1};

use super::serial::{Polled, Uart};
use super::systick::Systick;

/// The processor.
pub const CORE: &str = "Cortex-M4F";
/// The emulated processor's clock, and SysTick's.
pub const CLOCK_HZ: u32 = 168_000_000;
/// What this is made for.
pub const EMULATED: bool = true;

/// Counts instructions.
pub type Stopwatch = Systick<CLOCK_HZ>;
/// USART 1.
pub type Console = Polled<Usart1>;

/// The clock after a reset: the internal oscillator; STM32F405 reference manual (RM0090), 7.2.2.
const AFTER_RESET_HZ: u32 = 16_000_000;
/// Sampled 16 times a bit, the divider is the number of clocks of a bit.
const DIVIDER: u16 = (AFTER_RESET_HZ / 115_200) as u16;

/// USART 1, on the pins PA9 and PA10.
pub fn set_up() -> Console {
    let Peripherals { RCC: rcc, GPIOA: gpio, USART1: usart, .. } = peripherals();
    rcc.ahb1enr().modify(|_, w| w.gpioaen().enabled());
    rcc.apb2enr().modify(|_, w| w.usart1en().enabled());
    // Alternate function 7: STM32F405 datasheet, table 9.
    gpio.afrh().modify(|_, w| w.afrh9().af7().afrh10().af7());
    gpio.moder().modify(|_, w| w.moder9().alternate().moder10().alternate());
    #[allow(unsafe_code, reason = "a number for a whole register")]
    // SAFETY: any divider may be set.
    usart.brr().write(|w| unsafe { w.bits(DIVIDER) });
    usart.cr1().write(|w| w.ue().enabled().te().enabled().re().enabled());
    Polled(Usart1(usart))
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
