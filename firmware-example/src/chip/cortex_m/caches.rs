//! Caches of a Cortex-M7.

#![allow(unsafe_code, reason = "handles of registers, which the stopwatch takes later")]

use core::mem;

use cortex_m::peripheral::{CPUID, SCB};

/// Empties and enables the caches of instructions and data.
///
/// Memory that another master writes, such as a DMA controller, must not be cached. No board has one.
pub fn enable_caches() {
    // SAFETY: a handle is a value without bytes, and only this function writes the registers of the caches.
    let mut scb: SCB = unsafe { mem::zeroed() };
    // SAFETY: as above.
    let mut cpuid: CPUID = unsafe { mem::zeroed() };
    scb.enable_icache();
    scb.enable_dcache(&mut cpuid);
}
