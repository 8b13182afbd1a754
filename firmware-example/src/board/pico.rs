//! Raspberry Pi Pico (RP2040, Cortex-M0+) and Pico 2 (RP2350, Cortex-M33 or its RISC-V core Hazard3): UART 0 on pins
//! GP0 (transmit) and GP1 (receive), and with the feature `usb` the USB connector. The two support crates use the same
//! names for clocks, pins, UART and USB.

mod pl011;
#[cfg(feature = "usb")]
mod uart_and_usb;
#[cfg(feature = "usb")]
mod usb_port;

#[cfg(any(feature = "pico2", feature = "pico2-riscv"))]
use rp235x_hal as hal;
#[cfg(feature = "pico")]
use rp2040_hal as hal;

use hal::clocks::init_clocks_and_plls;
use hal::fugit::RateExtU32;
use hal::gpio::Pins;
#[cfg(feature = "usb")]
use hal::pac::interrupt;
use hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use hal::{Clock, Sio, Watchdog, pac};
#[cfg(feature = "usb")]
use usb_device::bus::UsbBusAllocator;

use super::UART;
#[cfg(not(feature = "usb"))]
use super::serial::Polled;
use pl011::Pl011;
#[cfg(feature = "usb")]
use uart_and_usb::UartAndUsb;

#[cfg(feature = "usb")]
use crate::chip::NVIC;
#[cfg(not(feature = "pico2-riscv"))]
pub use crate::chip::reset;
// Restarts the chip by its watchdog.
#[cfg(feature = "pico2-riscv")]
pub use hal::reset;

/// Frequency of the crystal on both boards.
const CRYSTAL_HZ: u32 = 12_000_000;

/// UART 0.
#[cfg(not(feature = "usb"))]
pub type Console = Polled<Pl011>;
/// UART 0 and the USB port.
#[cfg(feature = "usb")]
pub type Console = UartAndUsb<Pl011>;

/// The chip's USB controller.
#[cfg(feature = "usb")]
type Bus = hal::usb::UsbBus;

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
    // Pulled up, a receive pin without a wire is an idle line.
    let pins = (pins.gpio0.into_function(), pins.gpio1.into_pull_up_input().into_function());
    let line = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(chip.UART0, pins, &mut chip.RESETS);
    let Ok(_on) = uart.enable(line, clocks.peripheral_clock.freq()) else { panic!("no divider for this clock") };
    #[cfg(feature = "usb")]
    {
        #[cfg(feature = "pico")]
        let (registers, memory) = (chip.USBCTRL_REGS, chip.USBCTRL_DPRAM);
        #[cfg(not(feature = "pico"))]
        let (registers, memory) = (chip.USB, chip.USB_DPRAM);
        // The board does not connect the pin that senses the cable's voltage.
        let bus = Bus::new(registers, memory, clocks.usb_clock, true, &mut chip.RESETS);
        let bus = UsbBusAllocator::new(bus);
        let bus = crate::chip::singleton!(BUS: UsbBusAllocator<Bus> = bus).unwrap();
        uart_and_usb::start(bus);
    }
    steal()
}

/// Returns a second handle of UART 0.
pub fn steal() -> Console {
    #[allow(unsafe_code, reason = "names an address")]
    // SAFETY: the data sheet has a PL011 at this address. A caller that steals the console no longer uses the first
    // handle.
    let uart = unsafe { Pl011::new(UART as usize) };
    #[cfg(not(feature = "usb"))]
    return Polled(uart);
    #[cfg(feature = "usb")]
    return UartAndUsb::new(uart);
}

/// Serves the USB controller.
#[cfg(feature = "usb")]
#[allow(unsafe_code, reason = "the vector table looks for the handler by its name")]
#[interrupt]
fn USBCTRL_IRQ() {
    uart_and_usb::on_interrupt();
}

/// Lets the USB controller interrupt the program.
#[cfg(feature = "usb")]
fn interrupt_on() {
    #[allow(unsafe_code, reason = "may break critical sections that rely on masks of interrupts")]
    // SAFETY: no critical section relies on the mask of this interrupt.
    unsafe {
        NVIC::unmask(pac::Interrupt::USBCTRL_IRQ);
    }
}

/// Keeps the USB controller from interrupting the program.
#[cfg(feature = "usb")]
fn interrupt_off() {
    NVIC::mask(pac::Interrupt::USBCTRL_IRQ);
}
