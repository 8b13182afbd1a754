//! Arm MPS2 with the image AN505 (Cortex-M33), in QEMU.

use super::cmsdk_uart::CmsdkUart;
use super::serial::Polled;
use crate::chip::Systick;

/// The processor.
pub const CORE: &str = "Cortex-M33";
/// The processor's clock, the UART's and SysTick's.
pub const CLOCK_HZ: u32 = 20_000_000;
/// The FPGA board is not what this is made for.
pub const EMULATED: bool = true;

/// Application Note AN505, memory map: UART 0, as the Secure state sees it, in which the processor starts.
const UART_0: usize = 0x5020_0000;

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
