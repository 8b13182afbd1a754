//! Board support. Each board has a row in `boards.toml`, a feature, a memory map (`memory/<board>.x`) and a file in
//! `board/`. `docs/change/adding-a-board.md` explains how to add a board.
//!
//! A board's file defines, for all programs:
//!
//! - `Console`: a polled UART that implements [`embedded_io::Read`], [`embedded_io::ReadReady`] and
//!   [`embedded_io::Write`] and never fails. [`serial::Polled`] makes one from four functions.
//! - `fn set_up() -> Console`: sets up clocks, pins and the UART (115,200 baud, 8 bits, no parity) after a reset.
//! - `fn steal() -> Console`: returns a second handle of the UART, as `set_up` left it, for fault handlers.
//! - `fn reset() -> !`: restarts the chip. For Cortex-M it is `chip::reset`; RISC-V has no common way.
//!
//! Drivers of UARTs that several boards share are modules of the boards' files.
//!
//! The build script ensures that exactly one board is selected.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::chip;

#[cfg_attr(board_code = "esp32c3", path = "board/esp32c3.rs")]
#[cfg_attr(board_code = "lm3s6965evb", path = "board/lm3s6965evb.rs")]
#[cfg_attr(board_code = "microbit", path = "board/microbit.rs")]
#[cfg_attr(board_code = "mps", path = "board/mps.rs")]
#[cfg_attr(board_code = "nrf52", path = "board/nrf52.rs")]
#[cfg_attr(board_code = "pico", path = "board/pico.rs")]
#[cfg_attr(board_code = "riscv_virt", path = "board/riscv_virt.rs")]
#[cfg_attr(board_code = "stm32", path = "board/stm32.rs")]
mod chosen;
pub mod serial;

pub use chosen::{Console, reset};

// Defines NAME, CORE, CLOCK_HZ and EMULATED, and UART if the board's row has it.
include!(concat!(env!("OUT_DIR"), "/board.rs"));

/// Stopwatch with `new` (callable once), `count`, `now`, `interrupts`, and `unit`, which returns "instructions" in the
/// emulator and "cycles" on a chip.
#[cfg(stopwatch = "systick")]
pub type Stopwatch = chip::Systick<CLOCK_HZ, EMULATED>;
/// Stopwatch with `new` (callable once), `count`, `now`, `interrupts`, and `unit`, the name of the unit.
#[cfg(stopwatch = "cycles")]
pub type Stopwatch = chip::Cycles;
/// Stopwatch with `new` (callable once), `count`, `now`, `interrupts`, and `unit`, which returns "instructions" in the
/// emulator and "cycles" on a chip.
#[cfg(stopwatch = "either")]
pub type Stopwatch = chip::Either<CLOCK_HZ>;
/// Stopwatch with `new`, `count`, `now`, `interrupts`, and `unit`, which returns "instructions" in the emulator and
/// "cycles" on a chip.
#[cfg(stopwatch = "mcycle")]
pub type Stopwatch = chip::Mcycle<EMULATED>;

/// Stopwatch with `new`, `count`, `now`, `interrupts`, and `unit`, the name of the unit.
#[cfg(stopwatch = "mpccr")]
pub type Stopwatch = chip::Mpccr;

/// True after [`console`] has returned.
static IS_SET_UP: AtomicBool = AtomicBool::new(false);

/// Sets up the clocks and the UART.
///
/// # Panics
/// Panics if it is called a second time: there is only one UART.
pub fn console() -> Console {
    // Load and store are enough: Cortex-M0 has no atomic exchange, and no interrupt handler asks for the console.
    assert!(!IS_SET_UP.load(Ordering::Relaxed), "console called twice");
    let console = chosen::set_up();
    IS_SET_UP.store(true, Ordering::Relaxed);
    console
}

/// Returns a second handle of the console, for panics and faults: the first one is not used afterwards. `None` if the
/// console has not been set up yet.
pub fn console_for_last_words() -> Option<Console> {
    IS_SET_UP.load(Ordering::Relaxed).then(chosen::steal)
}
