//! Counter based on `mcycle`. It counts cycles on a chip, and instructions on boards that QEMU emulates.
#![allow(unsafe_code, reason = "writes a control register")]

use core::arch::asm;

use ::riscv::register::mcycle;

/// Time of an instruction under `-icount shift=6`: 2^6 ns of the emulator's time, which is what `mcycle` counts there.
const NANOSECONDS_PER_INSTRUCTION: u64 = 1 << 6;

/// Counts the processor's cycles on a chip, or instructions on a board that is `EMULATED`. Instruction counts are right
/// only under `-icount shift=6`, which `cargo xtask qemu` and `cargo run` set.
pub struct Mcycle<const EMULATED: bool> {
    _private: (),
}

impl<const EMULATED: bool> Mcycle<EMULATED> {
    /// Starts the counter.
    #[expect(clippy::new_without_default, reason = "the other stopwatches can be made only once")]
    pub fn new() -> Self {
        // SAFETY: lets all counters run. Some chips stop them at reset.
        unsafe { asm!("csrw mcountinhibit, zero", options(nomem, nostack)) }
        Self { _private: () }
    }

    /// Returns the name of the unit.
    pub const fn unit(&self) -> &'static str {
        if EMULATED { "instructions" } else { "cycles" }
    }

    /// Returns the count that `run` takes, including reading the counter, and its result.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        let before = mcycle::read64();
        let result = run();
        (Self::counted(mcycle::read64() - before), result)
    }

    /// Returns the count since the reset, in the unit of [`Self::count`], for lap times.
    pub fn now(&mut self) -> u64 {
        Self::counted(mcycle::read64())
    }

    /// Returns the number of interrupts since the start: none, because the counter needs none.
    pub const fn interrupts(&self) -> u32 {
        0
    }

    const fn counted(ticks: u64) -> u64 {
        if EMULATED { ticks / NANOSECONDS_PER_INSTRUCTION } else { ticks }
    }
}
