//! Arm MPS2 with the images AN385 (Cortex-M3), AN386 (Cortex-M4F) and AN500 (Cortex-M7), in QEMU. Console and exit by semihosting.

use super::systick::Systick;

/// Counts instructions; the processor, and SysTick with it, runs at 25 MHz.
pub type Stopwatch = Systick<25_000_000>;
