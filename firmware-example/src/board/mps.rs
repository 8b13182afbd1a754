//! Arm MPS2 and MPS3 in QEMU, with the FPGA images that boards.toml lists: they differ in the clock and in the address
//! of UART 0. Nobody has tried the FPGA boards themselves.

mod cmsdk_uart;

use super::serial::Polled;
use super::{CLOCK_HZ, UART};
use cmsdk_uart::CmsdkUart;

/// UART 0.
pub type Console = Polled<CmsdkUart<{ UART as usize }>>;

/// The image has set clocks and pins up.
pub fn set_up() -> Console {
    let mut console = steal();
    console.0.enable(CLOCK_HZ, 115_200);
    console
}

/// UART 0 as it is.
pub fn steal() -> Console {
    #[allow(unsafe_code, reason = "names an address")]
    // SAFETY: the UART is where the application note has it; who calls this a second time no longer uses the first.
    Polled(unsafe { CmsdkUart::new() })
}
