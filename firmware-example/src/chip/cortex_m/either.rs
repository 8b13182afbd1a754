//! A stopwatch for a program that runs on a chip and, the same file, in the emulator.

use cortex_m::Peripherals;
use cortex_m::asm;

use super::cycles::Cycles;
use super::systick::Systick;

/// Counts cycles on a chip, and instructions in the emulator with a SysTick that runs at `HZ`.
pub enum Either<const HZ: u32> {
    /// On a chip.
    Chip(Cycles),
    /// In the emulator.
    Emulator(Systick<HZ, true>),
}

impl<const HZ: u32> Either<HZ> {
    /// Starts the counter that there is: the emulator's counter of cycles never moves.
    ///
    /// # Panics
    /// If it has been called before: there is one of each.
    #[expect(clippy::new_without_default, reason = "there is one, which this takes")]
    pub fn new() -> Self {
        let Peripherals { DCB, DWT, SYST, .. } = Peripherals::take().unwrap();
        let mut cycles = Cycles::start(DCB, DWT);
        let before = cycles.now();
        asm::delay(16);
        if cycles.now() == before { Self::Emulator(Systick::start(SYST)) } else { Self::Chip(cycles) }
    }

    /// What it counts.
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Chip(cycles) => cycles.unit(),
            Self::Emulator(systick) => systick.unit(),
        }
    }

    /// What `run` takes, reading the counter included.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        match self {
            Self::Chip(cycles) => cycles.count(run),
            Self::Emulator(systick) => systick.count(run),
        }
    }

    /// What has been counted since the start: for laps.
    pub fn now(&mut self) -> u64 {
        match self {
            Self::Chip(cycles) => cycles.now(),
            Self::Emulator(systick) => systick.now(),
        }
    }

    /// Interrupts since the start.
    pub fn interrupts(&self) -> u32 {
        match self {
            Self::Chip(cycles) => cycles.interrupts(),
            Self::Emulator(systick) => systick.interrupts(),
        }
    }
}
