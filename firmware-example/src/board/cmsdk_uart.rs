//! UART of Arm's Cortex-M System Design Kit, found in Arm's FPGA images. There is no crate for its registers.
#![allow(unsafe_code, reason = "reads and writes the UART's registers")]

use crate::board::serial::Uart;

/// Word offsets of the registers; Cortex-M System Design Kit Technical Reference Manual (DDI 0479), 4.3.1.
const DATA: usize = 0;
const STATE: usize = 1;
const CTRL: usize = 2;
const BAUDDIV: usize = 4;

/// Bit of STATE: the transmit buffer is full.
const TX_FULL: u32 = 1 << 0;
/// Bit of STATE: a byte has been received.
const RX_FULL: u32 = 1 << 1;
/// Bits of CTRL: transmitter and receiver enabled.
const TX_RX_ENABLE: u32 = 0b11;

/// UART 0 of an image, with its registers at `ADDRESS`.
pub struct CmsdkUart<const ADDRESS: usize> {
    _private: (),
}

impl<const ADDRESS: usize> CmsdkUart<ADDRESS> {
    /// Returns a handle of the UART without setting it up.
    ///
    /// # Safety
    /// There must be such a UART at `ADDRESS`. No other `CmsdkUart` for it may be used from now on.
    pub const unsafe fn new() -> Self {
        Self { _private: () }
    }

    /// Enables the UART, with the divider for a clock.
    pub fn enable(&mut self, clock_hz: u32, baud: u32) {
        self.write(BAUDDIV, clock_hz / baud);
        self.write(CTRL, TX_RX_ENABLE);
    }

    fn read(&self, register: usize) -> u32 {
        // SAFETY: `new` was promised that this is a valid, aligned address of a register of the UART. Reading DATA
        // removes the byte, and no other code waits for it.
        unsafe { core::ptr::with_exposed_provenance::<u32>(ADDRESS + 4 * register).read_volatile() }
    }

    fn write(&mut self, register: usize, value: u32) {
        // SAFETY: as above; none of the four registers makes the UART access memory.
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
