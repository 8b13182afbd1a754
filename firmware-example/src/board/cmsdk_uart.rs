//! The UART of Arm's Cortex-M System Design Kit, which its FPGA images have; no crate describes them.
#![allow(unsafe_code, reason = "reads and writes the UART's registers")]

use crate::board::serial::Uart;

/// Registers, in words from the first; Cortex-M System Design Kit Technical Reference Manual (DDI 0479), 4.3.1.
const DATA: usize = 0;
const STATE: usize = 1;
const CTRL: usize = 2;
const BAUDDIV: usize = 4;

/// STATE: no room for a byte to send.
const TX_FULL: u32 = 1 << 0;
/// STATE: a byte has come.
const RX_FULL: u32 = 1 << 1;
/// CTRL: sender and receiver on.
const TX_RX_ENABLE: u32 = 0b11;

/// UART 0 of an image, whose registers begin at `ADDRESS`.
pub struct CmsdkUart<const ADDRESS: usize> {
    _private: (),
}

impl<const ADDRESS: usize> CmsdkUart<ADDRESS> {
    /// The UART as it is.
    ///
    /// # Safety
    /// At `ADDRESS` there is such a UART. No other `CmsdkUart` for it is used from now on.
    pub const unsafe fn new() -> Self {
        Self { _private: () }
    }

    /// Switches it on, with the divider for a clock.
    pub fn enable(&mut self, clock_hz: u32, baud: u32) {
        self.write(BAUDDIV, clock_hz / baud);
        self.write(CTRL, TX_RX_ENABLE);
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: a valid, aligned address of a register of the UART, as `new` was promised; reading DATA takes the byte
        // away, which nobody else waits for.
        unsafe { core::ptr::with_exposed_provenance::<u32>(ADDRESS + 4 * register).read_volatile() }
    }

    fn write(&mut self, register: usize, value: u32) {
        // SAFETY: as above; none of the four registers makes the UART touch memory.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(ADDRESS + 4 * register).write_volatile(value) }
    }
}

impl<const ADDRESS: usize> Uart for CmsdkUart<ADDRESS> {
    fn has_received(&mut self) -> bool {
        self.read(STATE) & RX_FULL != 0
    }

    fn receive(&mut self) -> u8 {
        while !self.has_received() {}
        self.read(DATA) as u8
    }

    fn send(&mut self, byte: u8) {
        while self.read(STATE) & TX_FULL != 0 {}
        self.write(DATA, byte.into());
    }
}
