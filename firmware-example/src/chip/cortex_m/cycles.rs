//! The cycle counter of the debug unit, which Cortex-M3 and larger cores have; the emulator's never moves.

use cortex_m::Peripherals;
use cortex_m::peripheral::{DCB, DWT};

/// Counts the processor's cycles.
///
/// The counter has 32 bits: it starts anew after half a minute or so. What is measured must be shorter, and [`Self::now`]
/// must be asked more often.
pub struct Cycles {
    // Kept so that nobody else can stop it.
    _dwt: DWT,
    last: u32,
    sum: u64,
}

impl Cycles {
    /// Starts the counter.
    ///
    /// # Panics
    /// If it has been called before: there is one.
    #[expect(clippy::new_without_default, reason = "there is one, which this takes")]
    pub fn new() -> Self {
        let Peripherals { DCB, DWT, .. } = Peripherals::take().unwrap();
        Self::start(DCB, DWT)
    }

    /// [`Self::new`], for who has the core's peripherals.
    pub fn start(mut dcb: DCB, mut dwt: DWT) -> Self {
        dcb.enable_trace();
        dwt.enable_cycle_counter();
        Self { _dwt: dwt, last: DWT::cycle_count(), sum: 0 }
    }

    /// What it counts.
    pub const fn unit(&self) -> &'static str {
        "cycles"
    }

    /// Cycles that `run` takes, reading the counter included.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        let before = self.now();
        let result = run();
        (self.now() - before, result)
    }

    /// Cycles since the start: for laps.
    pub fn now(&mut self) -> u64 {
        let now = DWT::cycle_count();
        self.sum += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.sum
    }

    /// Interrupts since the start: the counter has none.
    pub const fn interrupts(&self) -> u32 {
        0
    }
}
