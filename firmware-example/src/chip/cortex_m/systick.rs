//! SysTick as a counter: of instructions, for the boards that QEMU plays; of cycles, for a Cortex-M0+, which has no other.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;

/// `-icount shift=6`: every instruction takes 2^6 ns of the emulator's time.
const NANOSECONDS_PER_INSTRUCTION: u64 = 1 << 6;
/// SysTick counts down from here to 0: 24 bits.
const RELOAD: u32 = 0x00ff_ffff;

/// How often SysTick has reached 0. Written by its handler alone: Cortex-M0 can load and store atomically, and no more.
static WRAPS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Counts with a SysTick that runs at `HZ`: the processor's cycles on a chip, instructions where the board is `EMULATED`. That is
/// right only under `-icount shift=6`, which `cargo xtask qemu` and `cargo run` set: the emulator has no clock of the chip's
/// otherwise.
pub struct Systick<const HZ: u32, const EMULATED: bool> {
    // Kept so that nobody else can stop it.
    _syst: SYST,
}

impl<const HZ: u32, const EMULATED: bool> Systick<HZ, EMULATED> {
    /// Starts SysTick on the processor's clock.
    ///
    /// # Panics
    /// If it has been called before: there is one SysTick.
    #[expect(clippy::new_without_default, reason = "there is one, which this takes")]
    pub fn new() -> Self {
        Self::start(Peripherals::take().unwrap().SYST)
    }

    /// [`Self::new`], for who has the core's peripherals.
    pub fn start(mut syst: SYST) -> Self {
        syst.set_clock_source(SystClkSource::Core);
        syst.set_reload(RELOAD);
        syst.clear_current();
        syst.enable_interrupt();
        syst.enable_counter();
        Self { _syst: syst }
    }

    /// What it counts.
    pub const fn unit(&self) -> &'static str {
        if EMULATED { "instructions" } else { "cycles" }
    }

    /// What `run` takes, instructions rounded to whole ones, reading the counter included.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        let before = self.ticks();
        let result = run();
        (Self::counted(self.ticks() - before), result)
    }

    /// What has been counted since the start, as [`Self::count`] counts them: for laps.
    pub fn now(&mut self) -> u64 {
        Self::counted(self.ticks())
    }

    /// Interrupts since the start.
    pub fn interrupts(&self) -> u32 {
        WRAPS.load(Ordering::Relaxed)
    }

    fn counted(ticks: u64) -> u64 {
        if EMULATED { ticks * 1_000_000_000 / u64::from(HZ) / NANOSECONDS_PER_INSTRUCTION } else { ticks }
    }

    /// Ticks since the start.
    fn ticks(&mut self) -> u64 {
        loop {
            let wraps = WRAPS.load(Ordering::Relaxed);
            let current = SYST::get_current();
            // Else the counter reached 0 in between, and the two do not belong together.
            if wraps == WRAPS.load(Ordering::Relaxed) && !SCB::is_pendst_pending() {
                // It counts down, and the handler is called at 0, not at the reload behind it.
                return (u64::from(wraps) << 24) + u64::from(current.wrapping_neg() & RELOAD);
            }
        }
    }
}
