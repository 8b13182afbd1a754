//! Arm MPS2 with the images AN385 (Cortex-M3), AN386 (Cortex-M4F) and AN500 (Cortex-M7), in QEMU.

use super::cmsdk_uart::CmsdkUart;
use super::serial::Polled;
use crate::chip::Systick;

/// The processor.
pub const CORE: &str = if cfg!(feature = "mps2-an385") {
    "Cortex-M3"
} else if cfg!(feature = "mps2-an386") {
    "Cortex-M4F"
} else {
    "Cortex-M7"
};
/// The processor's clock, the UART's and SysTick's.
pub const CLOCK_HZ: u32 = 25_000_000;
/// The FPGA board is not what this is made for.
pub const EMULATED: bool = true;

/// Application Note AN385, table 3-2, and the same in AN386 and AN500: UART 0.
const UART_0: usize = 0x4000_4000;

/// Counts instructions.
pub type Stopwatch = Systick<CLOCK_HZ>;
/// UART 0.
pub type Console = Polled<CmsdkUart<UART_0>>;

/// The image has set clocks and pins up.
pub fn set_up() -> Console {
    let mut console = steal();
    console.0.enable(CLOCK_HZ, 115_200);
    console
}

/// UART 0 as it is.
pub fn steal() -> Console {
    #[allow(unsafe_code, reason = "names an address")]
    // SAFETY: it is where the application note has it; who calls this a second time no longer uses the first.
    Polled(unsafe { CmsdkUart::new() })
}
