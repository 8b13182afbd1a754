//! Stopwatch for one program file that runs both on a chip and in the emulator.

use cortex_m::Peripherals;
use cortex_m::asm;

use super::cycles::Cycles;
use super::systick::Systick;

/// Counts cycles on a chip. In the emulator, counts instructions with a SysTick that runs at `HZ`.
pub enum Either<const HZ: u32> {
    /// Stopwatch on a chip.
    Chip(Cycles),
    /// Stopwatch in the emulator.
    Emulator(Systick<HZ, true>),
}

impl<const HZ: u32> Either<HZ> {
    /// Starts the cycle counter, or SysTick if the cycle counter does not move, as in the emulator.
    ///
    /// # Panics
    /// Panics if it is called a second time: there is only one of each counter.
    #[expect(clippy::new_without_default, reason = "there is one, which this takes")]
    pub fn new() -> Self {
        let Peripherals { DCB, DWT, SYST, .. } = Peripherals::take().unwrap();
        let mut cycles = Cycles::start(DCB, DWT);
        let before = cycles.now();
        asm::delay(16);
        if cycles.now() == before { Self::Emulator(Systick::start(SYST)) } else { Self::Chip(cycles) }
    }

    /// Returns the name of the unit.
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Chip(cycles) => cycles.unit(),
            Self::Emulator(systick) => systick.unit(),
        }
    }

    /// Returns the count that `run` takes, including reading the counter, and its result.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        match self {
            Self::Chip(cycles) => cycles.count(run),
            Self::Emulator(systick) => systick.count(run),
        }
    }

    /// Returns the count since the start, for lap times.
    pub fn now(&mut self) -> u64 {
        match self {
            Self::Chip(cycles) => cycles.now(),
            Self::Emulator(systick) => systick.now(),
        }
    }

    /// Returns the number of interrupts since the start.
    pub fn interrupts(&self) -> u32 {
        match self {
            Self::Chip(cycles) => cycles.interrupts(),
            Self::Emulator(systick) => systick.interrupts(),
        }
    }
}
