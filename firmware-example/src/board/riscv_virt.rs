//! QEMU's board `virt` for RISC-V: a UART 16550, and a device that restarts the board.

use core::num::NonZeroUsize;

use uart_16550::backend::MmioBackend;
use uart_16550::{Config, Uart16550};

use super::UART;
use super::serial::{Polled, Uart};

/// Clock of the UART: `clock-frequency` of the device tree in QEMU's hw/riscv/virt.c.
const UART_HZ: u32 = 3_686_400;
/// Address of the device that restarts the board or ends the emulator; QEMU: hw/riscv/virt.c.
const TEST_DEVICE: usize = 0x0010_0000;
/// Value that restarts the board; QEMU: include/hw/misc/sifive_test.h.
const RESET: u32 = 0x7777;

/// UART 0.
pub type Console = Polled<Serial>;

/// Driver of the UART, with the functions of [`Uart`].
pub struct Serial(Uart16550<MmioBackend>);

/// Sets up UART 0. The board needs no other set-up.
pub fn set_up() -> Console {
    let mut console = steal();
    // The default is 115,200 baud, 8 bits, no parity.
    let config = Config { frequency: UART_HZ, ..Config::default() };
    if console.0.0.init(config).is_err() {
        panic!("there is no UART")
    }
    console
}

/// Returns a second handle of UART 0.
pub fn steal() -> Console {
    #[allow(unsafe_code, reason = "names an address")]
    // SAFETY: QEMU has the UART at this address, one byte per register. A caller that steals the console no longer uses
    // the first handle.
    const SERIAL: Uart16550<MmioBackend> =
        match unsafe { Uart16550::new_mmio_from_address(NonZeroUsize::new(UART as usize).unwrap(), 1) } {
            Ok(serial) => serial,
            Err(_) => panic!("the address is invalid"),
        };
    Polled(Serial(SERIAL))
}

/// Restarts the board.
pub fn reset() -> ! {
    #[allow(unsafe_code, reason = "writes a register")]
    // SAFETY: QEMU has the device at this address, and restarts the board before the next instruction.
    unsafe {
        core::ptr::with_exposed_provenance_mut::<u32>(TEST_DEVICE).write_volatile(RESET);
    }
    loop {
        core::hint::spin_loop();
    }
}

impl Uart for Serial {
    fn has_received(&mut self) -> bool {
        self.0.ready_to_receive().is_ok()
    }

    fn receive(&mut self) -> u8 {
        loop {
            if let Ok(byte) = self.0.try_receive_byte() {
                return byte;
            }
        }
    }

    fn send(&mut self, byte: u8) {
        while self.0.try_send_byte(byte).is_err() {}
    }
}
