//! Chips on the market, and an estimate of their speed.

use runtime::format::Core;

/// A chip with one of the cores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chip {
    /// Its name.
    pub name: &'static str,
    /// Its core.
    pub core: Core,
    /// Fastest clock that the data sheet allows.
    pub clock_hz: u32,
    /// Cycles that a read from flash waits at that clock.
    pub wait_states: u32,
    /// Bytes that one read from flash returns.
    pub flash_read_bytes: u32,
    /// Bytes of flash.
    pub flash_bytes: u64,
    /// Bytes of RAM that a program can use as one region.
    pub ram_bytes: u64,
}

/// A chip for each predicted core, from the manufacturer's data sheet and reference manual.
#[rustfmt::skip]
pub const CHIPS: [Chip; 9] = [
    // nRF51822 product specification, chapter 8: no wait states at 16 MHz. The chip of the micro:bit.
    Chip { name: "nRF51822", core: Core::M0, clock_hz: 16_000_000, wait_states: 0, flash_read_bytes: 4, flash_bytes: 256 << 10, ram_bytes: 16 << 10 },
    // RM0444, table of flash latencies: two wait states above 48 MHz; reads of 64 bits.
    Chip { name: "STM32G071RB", core: Core::M0Plus, clock_hz: 64_000_000, wait_states: 2, flash_read_bytes: 8, flash_bytes: 128 << 10, ram_bytes: 36 << 10 },
    // PM0075: two wait states above 48 MHz; reads of 64 bits.
    Chip { name: "STM32F103RC", core: Core::M3, clock_hz: 72_000_000, wait_states: 2, flash_read_bytes: 8, flash_bytes: 256 << 10, ram_bytes: 48 << 10 },
    // RM0090: five wait states above 150 MHz at 2.7 V and more; reads of 128 bits.
    Chip { name: "STM32F405RG", core: Core::M4, clock_hz: 168_000_000, wait_states: 5, flash_read_bytes: 16, flash_bytes: 1 << 20, ram_bytes: 128 << 10 },
    // RM0385: seven wait states above 210 MHz at 2.7 V and more; reads of 256 bits.
    Chip { name: "STM32F746ZG", core: Core::M7, clock_hz: 216_000_000, wait_states: 7, flash_read_bytes: 32, flash_bytes: 1 << 20, ram_bytes: 320 << 10 },
    // RM0456: four wait states above 128 MHz in range 1; reads of 128 bits.
    Chip { name: "STM32U575ZI", core: Core::M33, clock_hz: 160_000_000, wait_states: 4, flash_read_bytes: 16, flash_bytes: 2 << 20, ram_bytes: 768 << 10 },
    // The high-efficiency core; program and model are in its tightly coupled memory, which has no wait states.
    Chip { name: "Alif Ensemble E7", core: Core::M55, clock_hz: 160_000_000, wait_states: 0, flash_read_bytes: 16, flash_bytes: 256 << 10, ram_bytes: 256 << 10 },
    // ESP32-C3 data sheet and Technical Reference Manual, chapter 3: a module with 4 MiB of flash, read through a cache
    // of 16 KiB in lines of 32 bytes. A line takes 152 clocks of 80 MHz in dual mode (8 command, 12 address, 4 dummy,
    // 128 data).
    Chip { name: "ESP32-C3", core: Core::Rv32imc, clock_hz: 160_000_000, wait_states: 304, flash_read_bytes: 32, flash_bytes: 4 << 20, ram_bytes: 384 << 10 },
    // RP2350 data sheet, 4.4 and 12.14: a cache of 16 KiB in lines of 8 bytes, before 4 MiB of flash on a Pico 2. A
    // line takes 28 clocks in quad mode (6 address, 2 mode, 4 dummy, 16 data), each two cycles.
    Chip { name: "RP2350", core: Core::Hazard3, clock_hz: 150_000_000, wait_states: 56, flash_read_bytes: 8, flash_bytes: 4 << 20, ram_bytes: 512 << 10 },
];

impl Chip {
    /// Returns the chip with this core, or `None` for a core that is not predicted.
    pub fn of(core: Core) -> Option<&'static Self> {
        CHIPS.iter().find(|chip| chip.core == core)
    }

    /// Estimates the cycles of `instructions` that read `model_bytes_read` bytes of the model once.
    ///
    /// The estimate is the cycles without wait states plus the wait states of every read of the model. It assumes that
    /// code comes from a cache or a prefetch buffer without waiting.
    pub fn cycles(&self, instructions: f64, cycles_per_instruction: f64, model_bytes_read: f64) -> f64 {
        let reads = model_bytes_read / f64::from(self.flash_read_bytes);
        instructions * cycles_per_instruction + f64::from(self.wait_states) * reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::counted_on;

    #[test]
    fn every_predicted_core_has_a_chip() {
        assert!(Core::ALL.iter().all(|&core| Chip::of(core).is_some() == counted_on(core).is_some()));
    }

    #[test]
    fn a_read_of_flash_waits() {
        let chip = Chip::of(Core::M4).unwrap();
        assert_eq!(chip.cycles(1000.0, 1.5, 0.0), 1500.0);
        assert_eq!(chip.cycles(1000.0, 1.5, 160.0), 1550.0);
    }
}
