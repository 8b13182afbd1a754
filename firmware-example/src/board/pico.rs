//! Raspberry Pi Pico (RP2040, Cortex-M0+) and Pico 2 (RP2350, Cortex-M33 or its RISC-V core Hazard3): UART 0 on pins
//! GP0 (transmit) and GP1 (receive). The two support crates use the same names for clocks, pins and UART.

mod pl011;

#[cfg(any(feature = "pico2", feature = "pico2-riscv"))]
use rp235x_hal as hal;
#[cfg(feature = "pico")]
use rp2040_hal as hal;

use hal::clocks::init_clocks_and_plls;
use hal::fugit::RateExtU32;
use hal::gpio::Pins;
use hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use hal::{Clock, Sio, Watchdog, pac};

use super::UART;
use super::serial::Polled;
use pl011::Pl011;

#[cfg(not(feature = "pico2-riscv"))]
pub use crate::chip::reset;
// Restarts the chip by its watchdog.
#[cfg(feature = "pico2-riscv")]
pub use hal::reset;

/// Frequency of the crystal on both boards.
const CRYSTAL_HZ: u32 = 12_000_000;

/// UART 0.
pub type Console = Polled<Pl011>;

/// Second-stage boot code. The RP2040's boot ROM copies these 256 bytes into RAM and runs them; they set up the flash
/// chip, here W25Q16JV, from which the program then runs.
#[cfg(feature = "pico")]
#[allow(unsafe_code, reason = "the boot ROM looks for it at the start of flash")]
// SAFETY: only the boot ROM reads this section.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

/// Header by which the RP2350's boot ROM recognizes a program for the Arm cores in Secure state, or for the RISC-V
/// cores. The boot ROM starts the kind of core that the header names.
#[cfg(any(feature = "pico2", feature = "pico2-riscv"))]
#[allow(unsafe_code, reason = "the boot ROM looks for it in the first 4 KiB of flash")]
// SAFETY: only the boot ROM reads this section.
#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE_DEF: hal::block::ImageDef = {
    use hal::block::{ImageDef, Security};
    // RISC-V has no Secure state: RP2350 datasheet, 5.9.5.
    ImageDef::exe(if cfg!(feature = "pico2") { Security::Secure } else { Security::Unspecified })
};

/// Sets up the crystal, the PLLs, the pins and UART 0.
pub fn set_up() -> Console {
    let Some(mut chip) = pac::Peripherals::take() else { panic!("the only taker") };
    let mut watchdog = Watchdog::new(chip.WATCHDOG);
    // `expect` would link the code that formats the errors.
    let Ok(clocks) = init_clocks_and_plls(
        CRYSTAL_HZ,
        chip.XOSC,
        chip.CLOCKS,
        chip.PLL_SYS,
        chip.PLL_USB,
        &mut chip.RESETS,
        &mut watchdog,
    ) else {
        panic!("the crystal oscillator did not start")
    };
    let pins = Pins::new(chip.IO_BANK0, chip.PADS_BANK0, Sio::new(chip.SIO).gpio_bank0, &mut chip.RESETS);
    let pins = (pins.gpio0.into_function(), pins.gpio1.into_function());
    let line = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(chip.UART0, pins, &mut chip.RESETS);
    let Ok(_on) = uart.enable(line, clocks.peripheral_clock.freq()) else { panic!("no divider for this clock") };
    steal()
}

/// Returns a second handle of UART 0.
pub fn steal() -> Console {
    #[allow(unsafe_code, reason = "names an address")]
    // SAFETY: the data sheet has a PL011 at this address. A caller that steals the console no longer uses the first
    // handle.
    Polled(unsafe { Pl011::new(UART as usize) })
}
