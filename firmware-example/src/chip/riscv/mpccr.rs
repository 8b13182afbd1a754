//! Counter of cycles of Espressif's RISC-V cores, in registers of their own; they have no `mcycle`.
#![allow(unsafe_code, reason = "reads and writes control registers")]

use core::arch::asm;

/// Counts the processor's cycles.
///
/// The counter has 32 bits and wraps after about half a minute. Each measurement must be shorter, and [`Self::now`]
/// must be called more often.
pub struct Mpccr {
    last: u32,
    sum: u64,
}

impl Mpccr {
    /// Starts the counter; ESP32-C3 Technical Reference Manual, 1.4.
    #[expect(clippy::new_without_default, reason = "the other stopwatches can be made only once")]
    pub fn new() -> Self {
        // SAFETY: mpcer selects cycles as the events to count. Nothing else uses the counter.
        unsafe { asm!("csrwi 0x7e0, 1", options(nomem, nostack)) }
        // SAFETY: mpcmr lets the counter run.
        unsafe { asm!("csrwi 0x7e1, 1", options(nomem, nostack)) }
        Self { last: read(), sum: 0 }
    }

    /// Returns the name of the unit.
    pub const fn unit(&self) -> &'static str {
        "cycles"
    }

    /// Returns the cycles that `run` takes, including those for reading the counter, and its result.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        let before = self.now();
        let result = run();
        (self.now() - before, result)
    }

    /// Returns the cycles since the start, for lap times.
    pub fn now(&mut self) -> u64 {
        let now = read();
        self.sum += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.sum
    }

    /// Returns the number of interrupts since the start: none, because the counter needs none.
    pub const fn interrupts(&self) -> u32 {
        0
    }
}

/// Reads mpccr.
fn read() -> u32 {
    let cycles;
    // SAFETY: reads a register. Without `nomem` and `pure`, the compiler keeps the order of this and memory accesses.
    unsafe { asm!("csrr {cycles}, 0x7e2", cycles = out(reg) cycles, options(nostack, preserves_flags)) }
    cycles
}
