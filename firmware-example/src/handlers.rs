//! Handlers of panics and faults in a program with semihosting: they say where it was, and exit with a status. The
//! console has its own: [`crate::console::last_words`].

use core::fmt;

use crate::chip::Fault;

/// Exit status after a panic, as Rust programs on a host have it.
pub const PANICKED: i32 = 101;
/// Exit status after a fault: 128 + SIGSEGV.
pub const FAULTED: i32 = 139;

/// Prints what happened, and exits.
pub fn give_up(what: fmt::Arguments<'_>, status: i32) -> ! {
    semihosting::println!("{what}");
    semihosting::process::exit(status)
}

/// Prints where the fault was, and exits.
pub fn faulted(Fault { at, called_from }: Fault) -> ! {
    give_up(format_args!("hard fault at {at:#010x}, called from {called_from:#010x}"), FAULTED)
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

        $crate::chip::fault_handler!($crate::handlers::faulted);
    };
}
