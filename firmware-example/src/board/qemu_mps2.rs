//! `mps2-an386` in QEMU: a Cortex-M4F at 25 MHz. Console and exit by semihosting.

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// SysTick's clock in QEMU's model of the board.
const SYSTICK_HZ: u64 = 25_000_000;
/// `-icount shift=6`: every instruction takes 2^6 ns of the emulator's time.
const NANOSECONDS_PER_INSTRUCTION: u64 = 1 << 6;
/// SysTick counts down from here and wraps, after 10 million instructions.
const RELOAD: u32 = 0x00ff_ffff;

/// Counts instructions with SysTick. Right only under `-icount shift=6`, which `cargo xtask qemu` and `cargo run` set:
/// the emulator has no clock of the chip's otherwise.
pub struct Stopwatch {
    syst: SYST,
}

impl Stopwatch {
    /// Starts SysTick on the processor's clock.
    ///
    /// # Panics
    /// If it has been called before: there is one SysTick.
    #[expect(clippy::new_without_default, reason = "takes the one there is")]
    pub fn new() -> Self {
        let mut syst = Peripherals::take().expect("the only taker").SYST;
        syst.set_clock_source(SystClkSource::Core);
        syst.set_reload(RELOAD);
        syst.clear_current();
        syst.enable_counter();
        Self { syst }
    }

    /// Instructions that `run` takes, up to ten million, rounded to whole ones, reading the counter included.
    pub fn count<T>(&mut self, run: impl FnOnce() -> T) -> (u64, T) {
        self.syst.clear_current();
        let before = SYST::get_current();
        let result = run();
        let ticks = before.wrapping_sub(SYST::get_current()) & RELOAD;
        (u64::from(ticks) * 1_000_000_000 / SYSTICK_HZ / NANOSECONDS_PER_INSTRUCTION, result)
    }
}
