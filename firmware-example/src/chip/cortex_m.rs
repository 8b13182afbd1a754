//! Cortex-M, on top of the crates cortex-m-rt and cortex-m.

// Compiled only for the board that uses it: Cortex-M0+ has no caches.
#[cfg(feature = "nucleo-h743zi")]
mod caches;
#[cfg(any(stopwatch = "cycles", stopwatch = "either"))]
mod cycles;
#[cfg(stopwatch = "either")]
mod either;
#[cfg(feature = "int8")]
mod memcpy;
pub mod sections;
// Compiled only for boards that use it: otherwise every program would contain its interrupt handler.
#[cfg(any(stopwatch = "systick", stopwatch = "either"))]
mod systick;

use ::cortex_m::asm;
use ::cortex_m::peripheral::SCB;
use ::cortex_m::register::msp;

pub use ::cortex_m::peripheral::NVIC;
pub use ::cortex_m::singleton;
#[doc(hidden)]
pub use cortex_m_rt::entry;

#[cfg(feature = "nucleo-h743zi")]
pub use self::caches::enable_caches;
#[cfg(any(stopwatch = "cycles", stopwatch = "either"))]
pub use self::cycles::Cycles;
#[cfg(stopwatch = "either")]
pub use self::either::Either;
#[cfg(any(stopwatch = "systick", stopwatch = "either"))]
pub use self::systick::Systick;

/// Pattern that cortex-m-rt's `paint-stack` writes.
pub(super) const PAINT: u32 = 0xcccc_cccc;

/// Returns the stack pointer.
#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    msp::read() as usize
}

/// Restarts the chip.
pub fn reset() -> ! {
    SCB::sys_reset()
}

/// Causes a fault.
pub fn fault() -> ! {
    asm::udf()
}

/// Makes a function the fault handler. The function takes a [`Fault`](crate::chip::Fault) and does not return.
///
/// A program can have only one fault handler, so the program chooses it, not this library.
#[macro_export]
macro_rules! fault_handler {
    ($handler:path) => {
        #[allow(unsafe_code, reason = "cortex-m-rt asks for it: a fault handler runs whatever state the program is in")]
        mod fault {
            use cortex_m_rt::{ExceptionFrame, exception};

            #[exception]
            unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
                $handler($crate::chip::Fault { at: frame.pc(), called_from: frame.lr() })
            }
        }
    };
}
pub use fault_handler;
