//! Arm MPS2 with the image AN505 (Cortex-M33), in QEMU. Console and exit by semihosting.

use super::systick::Systick;

/// Counts instructions; the processor, and SysTick with it, runs at 20 MHz.
pub type Stopwatch = Systick<20_000_000>;
