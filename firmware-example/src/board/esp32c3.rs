//! ESP32-C3: UART 0 on GPIO 21 (transmit) and GPIO 20 (receive), and the chip's own USB serial port. Boards have one of
//! the two on their USB connector, some have both. The console writes to both and reads from both.
//!
//! The boot loader of ESP-IDF starts the program. It has started the crystal and the PLL, mapped the flash and loaded
//! the initial values of variables.
#![allow(unsafe_code, reason = "names addresses of registers, and start-up code in assembly")]

use core::arch::global_asm;

use esp32c3::generic::{Reg, RegisterSpec, Resettable, Writable};
use esp32c3::{RTC_CNTL, SYSTEM, TIMG0, TIMG1, UART0, USB_DEVICE};

use super::serial::{Polled, Uart};

/// Frequency of the crystal: ESP32-C3 datasheet, "Clock".
const CRYSTAL_HZ: u32 = 40_000_000;
/// Rate of the UART.
const BAUD: u32 = 115_200;
/// Keys that unlock the watchdogs' registers: ESP32-C3 Technical Reference Manual, 12.2 and 12.3.
const WATCHDOG_KEY: u32 = 0x50d8_3aa1;
const SUPER_WATCHDOG_KEY: u32 = 0x8f1d_312a;
/// Bytes that the UART's transmit buffer holds.
const UART_BYTES: u16 = 128;
/// Number of times that `send` looks for room in the buffer of the USB port: more than 10 ms. A computer that reads the
/// port empties the buffer within 1 ms.
const LOOKS: u32 = 200_000;

// Start-up in place of riscv-rt's `_start`, which writes the registers mie and mip: this core has neither, and would
// trap. Registers need no initial values, and `_start_rust` is riscv-rt's.
//
// The core only has vectored traps, whose table begins at a multiple of 256 bytes; ESP32-C3 Technical Reference Manual,
// 1.5. Exceptions jump to the table's first entry. The other entries are for interrupts, which are never enabled.
global_asm!(
    ".section .init, \"ax\"",
    ".global _start_esp32c3",
    "_start_esp32c3:",
    "csrci mstatus, 8",
    ".option push",
    ".option norelax",
    "la gp, __global_pointer$",
    ".option pop",
    "la t0, _stack_start",
    "andi sp, t0, -16",
    "mv s0, sp",
    "li ra, 0",
    "j _start_rust",
    ".section .trap, \"ax\"",
    ".balign 256",
    ".global _start_trap",
    "_start_trap:",
    "j default_start_trap",
);

/// Description of the program, `esp_app_desc_t` of ESP-IDF (components/esp_app_format/include/esp_app_desc.h).
#[repr(C)]
struct Description {
    magic: u32,
    secure_version: u32,
    _reserved_1: [u32; 2],
    version: [u8; 32],
    project_name: [u8; 32],
    time: [u8; 16],
    date: [u8; 16],
    idf_version: [u8; 32],
    /// espflash writes the checksum of the ELF file.
    elf_sha256: [u8; 32],
    min_efuse_block_revision: u16,
    max_efuse_block_revision: u16,
    /// Base-2 logarithm of the size of a page.
    mmu_page_log2: u8,
    _reserved_3: [u8; 3],
    _reserved_2: [u32; 18],
}

const _: () = assert!(size_of::<Description>() == 256);

/// Description that the boot loader and espflash look for.
// SAFETY: only the boot loader reads this section.
#[unsafe(link_section = ".flash.appdesc")]
#[used]
static DESCRIPTION: Description = Description {
    magic: 0xabcd_5432,
    secure_version: 0,
    _reserved_1: [0; 2],
    version: padded(env!("CARGO_PKG_VERSION")),
    project_name: padded(env!("CARGO_PKG_NAME")),
    // Left empty, so that two builds of the same source are equal.
    time: [0; 16],
    date: [0; 16],
    // Not built with ESP-IDF.
    idf_version: [0; 32],
    elf_sha256: [0; 32],
    // Every revision of the chip.
    min_efuse_block_revision: 0,
    max_efuse_block_revision: u16::MAX,
    mmu_page_log2: 16,
    _reserved_3: [0; 3],
    _reserved_2: [0; 18],
};

/// Returns a text with zeros after it.
const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let (head, _) = bytes.split_at_mut(text.len());
    head.copy_from_slice(text.as_bytes());
    bytes
}

/// UART 0 and the USB port.
pub type Console = Polled<Serial>;

/// Driver of UART 0 and the USB port.
pub struct Serial {
    uart: UART0,
    usb: USB_DEVICE,
    /// True if a computer has read from the USB port lately. Without one, the bytes for it are dropped.
    is_read: bool,
    /// True if bytes wait in the USB port's buffer for [`Serial::pass_on`].
    is_pending: bool,
}

/// Stops the watchdogs, which the boot loader has left running, and sets up the processor's clock and UART 0. The USB
/// port needs no set-up, and the pins of UART 0 have no other function after a reset.
pub fn set_up() -> Console {
    // SAFETY: `steal` requires that nothing else uses the peripheral at the same time, here and in the next lines. Only
    // this function uses these four, once, and `reset`, which does not return.
    let rtc = unsafe { RTC_CNTL::steal() };
    // SAFETY: see above.
    let system = unsafe { SYSTEM::steal() };
    // SAFETY: see above.
    let timer_0 = unsafe { TIMG0::steal() };
    // SAFETY: see above.
    let timer_1 = unsafe { TIMG1::steal() };

    // The keys unlock the watchdogs' registers, in which 0 stops a watchdog.
    write(rtc.wdtwprotect(), WATCHDOG_KEY);
    write(rtc.wdtconfig0(), 0);
    write(rtc.wdtwprotect(), 0);
    write(rtc.swd_wprotect(), SUPER_WATCHDOG_KEY);
    rtc.swd_conf().modify(|_, w| w.swd_auto_feed_en().set_bit());
    write(rtc.swd_wprotect(), 0);
    write(timer_0.wdtwprotect(), WATCHDOG_KEY);
    write(timer_0.wdtconfig0(), 0);
    write(timer_0.wdtwprotect(), 0);
    write(timer_1.wdtwprotect(), WATCHDOG_KEY);
    write(timer_1.wdtconfig0(), 0);
    write(timer_1.wdtwprotect(), 0);

    // 160 MHz from the PLL, which the boot loader runs at 480 MHz: Technical Reference Manual, tables 6.2-2 and 6.2-3.
    // SAFETY: `bits` requires a value that the field may hold.
    system.cpu_per_conf().modify(|_, w| unsafe { w.cpuperiod_sel().bits(1) });
    // The PLL, undivided.
    write(system.sysclk_conf(), 1 << 10);

    let console = steal();
    let uart = &console.0.uart;
    // The UART's clock is the crystal, undivided; the other bits are those after a reset.
    write(uart.clk_conf(), 0x0370_0000);
    // The rate has a whole divider and sixteenths.
    let sixteenths = CRYSTAL_HZ * 16 / BAUD;
    write(uart.clkdiv(), (sixteenths / 16) | ((sixteenths % 16) << 20));
    // 8 bits, no parity, one stop bit.
    uart.conf0().reset();
    // Passes the settings to the part of the UART that has the crystal's clock.
    uart.id().modify(|_, w| w.reg_update().set_bit());
    console
}

/// Writes a whole register.
fn write<R: RegisterSpec<Ux = u32> + Resettable + Writable>(register: &Reg<R>, bits: u32) {
    // SAFETY: `bits` requires a value that the register may hold. Each caller writes a value of the manual.
    register.write(|w| unsafe { w.bits(bits) });
}

/// Returns a second handle of both lines.
pub fn steal() -> Console {
    // SAFETY: a caller that steals the console no longer uses the first handle.
    let uart = unsafe { UART0::steal() };
    // SAFETY: see above.
    let usb = unsafe { USB_DEVICE::steal() };
    Polled(Serial { uart, usb, is_read: true, is_pending: false })
}

/// Restarts the chip.
pub fn reset() -> ! {
    // SAFETY: nothing else uses the peripheral afterwards.
    let rtc = unsafe { RTC_CNTL::steal() };
    rtc.options0().modify(|_, w| w.sw_sys_rst().set_bit());
    loop {
        core::hint::spin_loop();
    }
}

impl Serial {
    /// Passes the bytes in the USB port's buffer to the computer. A full buffer is passed without this.
    fn pass_on(&mut self) {
        if self.is_pending {
            self.usb.ep1_conf().write(|w| w.wr_done().set_bit());
            self.is_pending = false;
        }
    }

    fn send_to_usb(&mut self, byte: u8) {
        let looks = if self.is_read { LOOKS } else { 1 };
        self.is_read = (0..looks).any(|_| self.usb.ep1_conf().read().serial_in_ep_data_free().bit_is_set());
        if self.is_read {
            // SAFETY: any byte is valid.
            self.usb.ep1().write(|w| unsafe { w.rdwr_byte().bits(byte) });
            self.is_pending = true;
            if byte == b'\n' {
                self.pass_on();
            }
        }
    }

    fn uart_has_received(&self) -> bool {
        self.uart.status().read().rxfifo_cnt().bits() != 0
    }

    fn usb_has_received(&self) -> bool {
        self.usb.ep1_conf().read().serial_out_ep_data_avail().bit_is_set()
    }
}

impl Uart for Serial {
    fn has_received(&mut self) -> bool {
        self.pass_on();
        self.uart_has_received() || self.usb_has_received()
    }

    fn receive(&mut self) -> u8 {
        self.pass_on();
        loop {
            if self.uart_has_received() {
                return self.uart.fifo().read().rxfifo_rd_byte().bits();
            }
            if self.usb_has_received() {
                return self.usb.ep1().read().rdwr_byte().bits();
            }
        }
    }

    fn send(&mut self, byte: u8) {
        while self.uart.status().read().txfifo_cnt().bits() >= UART_BYTES - 1 {}
        // SAFETY: any byte is valid.
        self.uart.fifo().write(|w| unsafe { w.rxfifo_rd_byte().bits(byte) });
        self.send_to_usb(byte);
    }

    fn flush(&mut self) {
        self.pass_on();
        while self.uart.status().read().txfifo_cnt().bits() != 0 {}
        // The last byte is still being sent until the transmitter is idle.
        while self.uart.fsm_status().read().st_utx_out().bits() != 0 {}
    }
}
