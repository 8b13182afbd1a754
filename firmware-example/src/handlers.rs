//! What happens in a program with semihosting when something is wrong that should never be: say where, and exit with a
//! status, never spin. The console has its own: [`crate::console::last_words`].

use core::fmt;

/// Exit status after a panic, as Rust programs on a host have it.
pub const PANICKED: i32 = 101;
/// Exit status after a fault: 128 + SIGSEGV.
pub const FAULTED: i32 = 139;

/// Says what happened, and exits.
pub fn give_up(what: fmt::Arguments<'_>, status: i32) -> ! {
    semihosting::println!("{what}");
    semihosting::process::exit(status)
}

/// The handlers of panics and faults, for programs whose console is semihosting.
///
/// Not simply in this library: a program can have one handler, and `console` must have no semihosting in it.
#[macro_export]
macro_rules! semihosting_handlers {
    () => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::handlers::give_up(format_args!("{info}"), $crate::handlers::PANICKED)
        }

        #[allow(unsafe_code, reason = "cortex-m-rt asks for it: a fault handler runs whatever state the program is in")]
        mod fault {
            use cortex_m_rt::{ExceptionFrame, exception};

            #[exception]
            unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
                let (pc, lr) = (frame.pc(), frame.lr());
                let what = format_args!("hard fault at {pc:#010x}, called from {lr:#010x}");
                $crate::handlers::give_up(what, $crate::handlers::FAULTED)
            }
        }
    };
}
