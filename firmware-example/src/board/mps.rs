//! Arm MPS2 and MPS3 in QEMU, with the FPGA images that boards.toml lists. They differ in the clock and in the address
//! of UART 0. The FPGA boards themselves are untested.

mod cmsdk_uart;

use super::serial::Polled;
use super::{CLOCK_HZ, UART};
use cmsdk_uart::CmsdkUart;

pub use crate::chip::reset;

/// UART 0.
pub type Console = Polled<CmsdkUart<{ UART as usize }>>;

/// Sets up UART 0. The image has set up clocks and pins.
pub fn set_up() -> Console {
    let mut console = steal();
    console.0.enable(CLOCK_HZ, 115_200);
    console
}

/// Returns a second handle of UART 0.
pub fn steal() -> Console {
    #[allow(unsafe_code, reason = "names an address")]
    // SAFETY: the application note has the UART at this address. A caller that steals the console no longer uses the
    // first handle.
    Polled(unsafe { CmsdkUart::new() })
}
