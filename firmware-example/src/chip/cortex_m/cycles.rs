//! Cycle counter of the debug unit, which Cortex-M3 and larger cores have. In the emulator it always reads the same.

use cortex_m::Peripherals;
use cortex_m::peripheral::{DCB, DWT};

/// Counts the processor's cycles.
///
/// The counter has 32 bits and wraps after about half a minute. Each measurement must be shorter, and [`Self::now`]
/// must be called more often.
pub struct Cycles {
    // Owned, so that no other code can stop the counter.
    _dwt: DWT,
    last: u32,
    sum: u64,
}

impl Cycles {
    /// Starts the counter.
    ///
    /// # Panics
    /// Panics if it is called a second time: there is only one counter.
    #[expect(clippy::new_without_default, reason = "there is one, which this takes")]
    pub fn new() -> Self {
        let Peripherals { DCB, DWT, .. } = Peripherals::take().unwrap();
        Self::start(DCB, DWT)
    }

    /// Starts the counter like [`Self::new`], for a caller that owns the core's peripherals.
    pub fn start(mut dcb: DCB, mut dwt: DWT) -> Self {
        dcb.enable_trace();
        // Cortex-M7 ignores writes to the counter until it is unlocked, unless a debugger is attached.
        DWT::unlock();
        dwt.enable_cycle_counter();
        Self { _dwt: dwt, last: DWT::cycle_count(), sum: 0 }
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
        let now = DWT::cycle_count();
        self.sum += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.sum
    }

    /// Returns the number of interrupts since the start: none, because the counter needs none.
    pub const fn interrupts(&self) -> u32 {
        0
    }
}
