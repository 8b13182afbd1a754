//! Raspberry Pi Pico 2: RP2350 (Cortex-M33 at 150 MHz), its UART 0 on the pins GP0 (sends) and GP1 (receives).

use rp235x_hal::clocks::init_clocks_and_plls;
use rp235x_hal::fugit::RateExtU32;
use rp235x_hal::gpio::Pins;
use rp235x_hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use rp235x_hal::{Clock, Sio, Watchdog, pac};

use super::pl011::Pl011;
use super::serial::Polled;
use crate::chip::Cycles;

/// The processor.
pub const CORE: &str = "Cortex-M33";
/// The processor's clock, as the support crate sets it from the crystal.
pub const CLOCK_HZ: u32 = 150_000_000;
/// A chip on a board.
pub const EMULATED: bool = false;

/// The crystal on the board.
const CRYSTAL_HZ: u32 = 12_000_000;
/// RP2350 datasheet, 12.1.8: UART 0, a PL011.
const UART_0: usize = 0x4007_0000;

/// Counts cycles.
pub type Stopwatch = Cycles;
/// UART 0.
pub type Console = Polled<Pl011>;

/// By this the boot ROM knows a program for the Arm cores in their Secure state.
#[allow(unsafe_code, reason = "the boot ROM looks for it in the first 4 KiB of flash")]
// SAFETY: the section is read by the boot ROM alone.
#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE_DEF: rp235x_hal::block::ImageDef = rp235x_hal::block::ImageDef::secure_exe();

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
