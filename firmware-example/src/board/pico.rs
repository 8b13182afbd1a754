//! Raspberry Pi Pico: RP2040 (Cortex-M0+ at 125 MHz), its UART 0 on the pins GP0 (sends) and GP1 (receives).

use rp2040_hal::clocks::init_clocks_and_plls;
use rp2040_hal::fugit::RateExtU32;
use rp2040_hal::gpio::Pins;
use rp2040_hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use rp2040_hal::{Clock, Sio, Watchdog, pac};

use super::pl011::Pl011;
use super::serial::Polled;
use crate::chip::Systick;

/// The processor.
pub const CORE: &str = "Cortex-M0+";
/// The processor's clock, as the support crate sets it from the crystal.
pub const CLOCK_HZ: u32 = 125_000_000;
/// A chip on a board.
pub const EMULATED: bool = false;

/// The crystal on the board.
const CRYSTAL_HZ: u32 = 12_000_000;
/// RP2040 datasheet, 4.2.8: UART 0, a PL011.
const UART_0: usize = 0x4003_4000;

/// Counts cycles.
pub type Stopwatch = Systick<CLOCK_HZ, false>;
/// UART 0.
pub type Console = Polled<Pl011>;

/// The boot ROM copies these 256 bytes into RAM and runs them; they set up the flash that the program then runs from.
/// For the chip on the board, W25Q16JV.
#[allow(unsafe_code, reason = "the boot ROM looks for it at the start of flash")]
// SAFETY: the section is read by the boot ROM alone.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

/// Clocks from the crystal and its PLLs, the pins, and UART 0.
pub fn set_up() -> Console {
    let Some(mut chip) = pac::Peripherals::take() else { panic!("the only taker") };
    let mut watchdog = Watchdog::new(chip.WATCHDOG);
    // Not `expect`, which would bring in all that shows the errors.
    let Ok(clocks) = init_clocks_and_plls(
        CRYSTAL_HZ,
        chip.XOSC,
        chip.CLOCKS,
        chip.PLL_SYS,
        chip.PLL_USB,
        &mut chip.RESETS,
        &mut watchdog,
    ) else {
        panic!("the crystal does not swing")
    };
    let pins = Pins::new(chip.IO_BANK0, chip.PADS_BANK0, Sio::new(chip.SIO).gpio_bank0, &mut chip.RESETS);
    let pins = (pins.gpio0.into_function(), pins.gpio1.into_function());
    let line = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(chip.UART0, pins, &mut chip.RESETS);
    let Ok(_on) = uart.enable(line, clocks.peripheral_clock.freq()) else { panic!("no divider for this clock") };
    steal()
}

/// UART 0 as it is.
pub fn steal() -> Console {
    #[allow(unsafe_code, reason = "names an address")]
    // SAFETY: it is where the data sheet has it; who calls this a second time no longer uses the first.
    Polled(unsafe { Pl011::new(UART_0) })
}
