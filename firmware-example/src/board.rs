//! What differs from board to board: a feature, a memory map (`memory/<board>.x`) and a file in `board/`, each. How to
//! add one: `docs/adding-a-board.md`.
//!
//! A board's file has, for all programs:
//!
//! - `CORE`, `CLOCK_HZ`: the processor, and what it runs at.
//! - `EMULATED`: whether it is QEMU that plays the board. Such a program may rely on semihosting; on a chip without a
//!   debugger the first such call would stop it for good.
//! - `Stopwatch`: `new` (once), `count`, `now`, and `unit`, which says what it counts: "instructions" in the emulator,
//!   "cycles" on a chip.
//! - `Console`: a UART, polled, as [`embedded_io::Read`], [`embedded_io::ReadReady`] and [`embedded_io::Write`], which
//!   never fail. [`serial::Polled`] makes one of four functions.
//! - `fn set_up() -> Console`: clocks, pins and the UART, 115,200 baud, 8 bits, no parity, from the state of a reset.
//! - `fn steal() -> Console`: the same UART once more, as `set_up` left it, for who reports a fault.
//!
//! The build script sees to it that exactly one board is chosen.

use core::sync::atomic::{AtomicBool, Ordering};

#[cfg_attr(feature = "lm3s6965evb", path = "board/lm3s6965evb.rs")]
#[cfg_attr(feature = "microbit", path = "board/microbit.rs")]
#[cfg_attr(any(feature = "microbit-v2", feature = "nrf52840-dk"), path = "board/nrf52.rs")]
#[cfg_attr(any(feature = "mps2-an385", feature = "mps2-an386", feature = "mps2-an500"), path = "board/mps2.rs")]
#[cfg_attr(feature = "mps2-an505", path = "board/an505.rs")]
#[cfg_attr(feature = "mps3-an547", path = "board/an547.rs")]
#[cfg_attr(feature = "netduinoplus2", path = "board/netduinoplus2.rs")]
#[cfg_attr(feature = "pico", path = "board/pico.rs")]
#[cfg_attr(feature = "pico2", path = "board/pico2.rs")]
mod chosen;
#[cfg(any(
    feature = "mps2-an385",
    feature = "mps2-an386",
    feature = "mps2-an500",
    feature = "mps2-an505",
    feature = "mps3-an547"
))]
mod cmsdk_uart;
#[cfg(any(feature = "lm3s6965evb", feature = "pico", feature = "pico2"))]
mod pl011;
pub mod serial;

pub use chosen::{CLOCK_HZ, CORE, Console, EMULATED, Stopwatch};

/// The board's name, which is that of its feature.
pub const NAME: &str = env!("BOARD");

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
