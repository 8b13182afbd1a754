//! Stellaris LM3S6965 evaluation board: Cortex-M3, in QEMU.
#![allow(unsafe_code, reason = "no crate describes the chip's registers")]

mod pl011;

use core::ptr::with_exposed_provenance_mut;

use arm_pl011_uart::{DataBits, LineConfig, Parity, StopBits};

use super::CLOCK_HZ;
use super::serial::Polled;
use pl011::Pl011;

pub use crate::chip::reset;

/// UART 0.
pub type Console = Polled<Pl011>;

/// LM3S6965 data sheet, table 12-2: UART 0, a PL011.
const UART_0: usize = 0x4000_c000;
/// LM3S6965 data sheet, table 5-1 and registers 21 and 22: clock gates of UART 0 and port A.
const RCGC1: usize = 0x400f_e104;
const RCGC1_UART_0: u32 = 1 << 0;
const RCGC2: usize = 0x400f_e108;
const RCGC2_PORT_A: u32 = 1 << 0;
/// LM3S6965 data sheet, table 8-4 and register 10: alternate functions of port A. Pins 0 and 1 are UART 0.
const PORT_A_AFSEL: usize = 0x4000_4420;
/// LM3S6965 data sheet, register 18: digital pins of port A.
const PORT_A_DEN: usize = 0x4000_451c;
const UART_PINS: u32 = 0b11;

/// Sets up UART 0.
pub fn set_up() -> Console {
    for (register, value) in
        [(RCGC1, RCGC1_UART_0), (RCGC2, RCGC2_PORT_A), (PORT_A_AFSEL, UART_PINS), (PORT_A_DEN, UART_PINS)]
    {
        // SAFETY: a valid, aligned address of a register that takes any value, and enables only what this file uses.
        unsafe { with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
    }
    let mut console = steal();
    let line = LineConfig { data_bits: DataBits::Bits8, parity: Parity::None, stop_bits: StopBits::One };
    // The divider is valid: it is computed from constants.
    let _ = console.0.0.enable(line, 115_200, CLOCK_HZ);
    console
}

/// Returns a second handle of UART 0.
pub fn steal() -> Console {
    // SAFETY: the data sheet has a PL011 at this address. A caller that steals the console no longer uses the first
    // handle.
    Polled(unsafe { Pl011::new(UART_0) })
}
