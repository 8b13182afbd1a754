//! Counter based on SysTick. It counts instructions on boards that QEMU emulates, and cycles on a Cortex-M0+, which has
//! no other counter.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;

/// Time of an instruction under `-icount shift=6`: 2^6 ns of the emulator's time.
const NANOSECONDS_PER_INSTRUCTION: u64 = 1 << 6;
/// Value from which SysTick counts down to 0; it has 24 bits.
const RELOAD: u32 = 0x00ff_ffff;

/// Number of times that SysTick has reached 0. Only its handler writes it: Cortex-M0 has only atomic loads and stores.
static WRAPS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Counts with a SysTick that runs at `HZ`: the processor's cycles on a chip, instructions on a board that is
/// `EMULATED`. Instruction counts are right only under `-icount shift=6`, which `cargo xtask qemu` and `cargo run` set:
/// without this option the emulator does not model the chip's clock.
pub struct Systick<const HZ: u32, const EMULATED: bool> {
    // Owned, so that no other code can stop SysTick.
    _syst: SYST,
}

impl<const HZ: u32, const EMULATED: bool> Systick<HZ, EMULATED> {
    /// Starts SysTick on the processor's clock.
    ///
    /// # Panics
    /// Panics if it is called a second time: there is only one SysTick.
    #[expect(clippy::new_without_default, reason = "there is one, which this takes")]
    pub fn new() -> Self {
        Self::start(Peripherals::take().unwrap().SYST)
    }

    /// Starts SysTick like [`Self::new`], for a caller that owns the core's peripherals.
    pub fn start(mut syst: SYST) -> Self {
        syst.set_clock_source(SystClkSource::Core);
        syst.set_reload(RELOAD);
        syst.clear_current();
        syst.enable_interrupt();
        syst.enable_counter();
        Self { _syst: syst }
    }

    /// Returns the name of the unit.
    pub const fn unit(&self) -> &'static str {
        if EMULATED { "instructions" } else { "cycles" }
    }

    /// Returns the count that `run` takes, including reading the counter, and its result. Instructions are rounded to
    /// whole ones.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        let before = self.ticks();
        let result = run();
        (Self::counted(self.ticks() - before), result)
    }

    /// Returns the count since the start, in the unit of [`Self::count`], for lap times.
    pub fn now(&mut self) -> u64 {
        Self::counted(self.ticks())
    }

    /// Returns the number of interrupts since the start.
    pub fn interrupts(&self) -> u32 {
        WRAPS.load(Ordering::Relaxed)
    }

    fn counted(ticks: u64) -> u64 {
        if EMULATED { ticks * 1_000_000_000 / u64::from(HZ) / NANOSECONDS_PER_INSTRUCTION } else { ticks }
    }

    /// Returns the ticks since the start.
    fn ticks(&mut self) -> u64 {
        loop {
            let wraps = WRAPS.load(Ordering::Relaxed);
            let current = SYST::get_current();
            // Otherwise the counter reached 0 between the two reads, and they do not match.
            if wraps == WRAPS.load(Ordering::Relaxed) && !SCB::is_pendst_pending() {
                // SysTick counts down, and its handler runs when it reaches 0, not at the reload that follows.
                return (u64::from(wraps) << 24) + u64::from(current.wrapping_neg() & RELOAD);
            }
        }
    }
}
