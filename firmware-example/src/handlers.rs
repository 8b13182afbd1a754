//! What happens when something is wrong that should never be: say where, and exit with a status, never spin.

use core::panic::PanicInfo;

use semihosting::println;

/// Exit status after a panic, as Rust programs on a host have it.
const PANICKED: i32 = 101;
/// Exit status after a fault: 128 + SIGSEGV.
const FAULTED: i32 = 139;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    semihosting::process::exit(PANICKED)
}

#[allow(unsafe_code, reason = "cortex-m-rt asks for it: a fault handler runs whatever state the program is in")]
mod fault {
    use super::{FAULTED, println};
    use cortex_m_rt::{ExceptionFrame, exception};

    #[exception]
    unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
        println!("hard fault at {:#010x}, called from {:#010x}", frame.pc(), frame.lr());
        semihosting::process::exit(FAULTED)
    }
}
