//! Panic and fault handlers of programs with semihosting: they print the location, and exit with a status. The console
//! has its own handlers: [`crate::console::last_words`].

use core::fmt;

use crate::chip::Fault;

/// Exit status after a panic, the same as of Rust programs on a host.
pub const PANICKED: i32 = 101;
/// Exit status after a fault: 128 + SIGSEGV.
pub const FAULTED: i32 = 139;

/// Prints what happened, and exits.
pub fn give_up(what: fmt::Arguments<'_>, status: i32) -> ! {
    semihosting::println!("{what}");
    semihosting::process::exit(status)
}

/// Prints the location of the fault, and exits.
pub fn faulted(Fault { at, called_from }: Fault) -> ! {
    give_up(format_args!("hard fault at {at:#010x}, called from {called_from:#010x}"), FAULTED)
}

/// Defines the panic and fault handlers, for programs whose console is semihosting.
///
/// The handlers are a macro because a program can have only one of each, and `console` must not contain semihosting.
#[macro_export]
macro_rules! semihosting_handlers {
    () => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::handlers::give_up(format_args!("{info}"), $crate::handlers::PANICKED)
        }

        $crate::chip::fault_handler!($crate::handlers::faulted);
    };
}
