//! BBC micro:bit: nRF51822 (Cortex-M0), in QEMU. Console and exit by semihosting.
//!
//! The chip itself has no SysTick: on a real board this counts nothing.

use super::systick::Systick;

/// Counts instructions; the processor, and QEMU's SysTick with it, runs at 16 MHz.
pub type Stopwatch = Systick<16_000_000>;
