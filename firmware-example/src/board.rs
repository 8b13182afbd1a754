//! What differs from board to board: a row in `boards.toml`, a feature, a memory map (`memory/<board>.x`) and a file in
//! `board/`. How to add one: `docs/change/adding-a-board.md`.
//!
//! A board's file has, for all programs:
//!
//! - `Console`: a UART, polled, as [`embedded_io::Read`], [`embedded_io::ReadReady`] and [`embedded_io::Write`], which
//!   never fail. [`serial::Polled`] makes one of four functions.
//! - `fn set_up() -> Console`: clocks, pins and the UART, 115,200 baud, 8 bits, no parity, from the state of a reset.
//! - `fn steal() -> Console`: the same UART once more, as `set_up` left it, for who reports a fault.
//!
//! Drivers of UARTs that several boards have are modules of those files.
//!
//! The build script sees to it that exactly one board is chosen.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::chip;

#[cfg_attr(board_code = "lm3s6965evb", path = "board/lm3s6965evb.rs")]
#[cfg_attr(board_code = "microbit", path = "board/microbit.rs")]
#[cfg_attr(board_code = "mps", path = "board/mps.rs")]
#[cfg_attr(board_code = "netduinoplus2", path = "board/netduinoplus2.rs")]
#[cfg_attr(board_code = "nrf52", path = "board/nrf52.rs")]
#[cfg_attr(board_code = "pico", path = "board/pico.rs")]
mod chosen;
pub mod serial;

pub use chosen::Console;

// NAME, CORE, CLOCK_HZ and EMULATED, and UART where the board's row has it.
include!(concat!(env!("OUT_DIR"), "/board.rs"));

/// The stopwatch: `new` (once), `count`, `now`, `interrupts`, and `unit`, which says what it counts: "instructions" in
/// the emulator, "cycles" on a chip.
#[cfg(stopwatch = "systick")]
pub type Stopwatch = chip::Systick<CLOCK_HZ, EMULATED>;
/// The stopwatch: `new` (once), `count`, `now`, `interrupts`, and `unit`, which says what it counts.
#[cfg(stopwatch = "cycles")]
pub type Stopwatch = chip::Cycles;
/// The stopwatch: `new` (once), `count`, `now`, `interrupts`, and `unit`, which says what it counts: "instructions" in
/// the emulator, "cycles" on a chip.
#[cfg(stopwatch = "either")]
pub type Stopwatch = chip::Either<CLOCK_HZ>;

/// Whether [`console`] has been called, and has returned.
static IS_SET_UP: AtomicBool = AtomicBool::new(false);

/// Sets up clocks and UART.
///
/// # Panics
/// If it has been called before: there is one.
pub fn console() -> Console {
    // Loads and stores: Cortex-M0 has no atomic exchange, and no interrupt asks for the console.
    assert!(!IS_SET_UP.load(Ordering::Relaxed), "the console is taken");
    let console = chosen::set_up();
    IS_SET_UP.store(true, Ordering::Relaxed);
    console
}

/// The console, whoever has it: for panics and faults, after which nobody uses the other one. `None` where nothing has
/// been set up yet.
pub fn console_for_last_words() -> Option<Console> {
    IS_SET_UP.load(Ordering::Relaxed).then(chosen::steal)
}
