//! Arm MPS3 with the image AN547 (Cortex-M55), in QEMU. Console and exit by semihosting.

use super::systick::Systick;

/// Counts instructions; the processor, and SysTick with it, runs at 32 MHz.
pub type Stopwatch = Systick<32_000_000>;
