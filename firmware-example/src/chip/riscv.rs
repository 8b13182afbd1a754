//! RISC-V with 32 bits, on top of the crates riscv-rt and riscv.

#[cfg(stopwatch = "mcycle")]
mod mcycle;
#[cfg(feature = "int8")]
mod memcpy;
#[cfg(stopwatch = "mpccr")]
mod mpccr;
pub mod sections;

use core::arch::asm;

#[doc(hidden)]
pub use riscv_rt::{TrapFrame, entry};

#[cfg(stopwatch = "mcycle")]
pub use self::mcycle::Mcycle;
#[cfg(stopwatch = "mpccr")]
pub use self::mpccr::Mpccr;

/// Pattern that [`paint`] writes.
pub(super) const PAINT: u32 = 0xcccc_cccc;

/// Returns the stack pointer.
#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let sp: usize;
    #[allow(unsafe_code, reason = "assembly")]
    // SAFETY: copies a register.
    unsafe {
        asm!("mv {sp}, sp", sp = out(reg) sp, options(nomem, nostack, preserves_flags));
    }
    sp
}

/// Fills the stack with [`PAINT`], to measure its high-water mark. Start-up calls it before any other code.
///
/// # Safety
/// Must be called only once, by start-up.
#[allow(unsafe_code, reason = "writes memory between two addresses of the linker script")]
#[riscv_rt::pre_init]
unsafe fn paint() {
    let mut address = sections::stack_end();
    let sp = stack_pointer();
    while address < sp {
        // SAFETY: `write_volatile` requires a valid, aligned address. The linker script aligns the end of the stack to
        // four bytes. No data is below the stack pointer: RAM has not been initialised, and this function's frame is
        // above it.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(PAINT) };
        address += 4;
    }
}

/// Makes a static that can be taken once: the first time `Some` with a reference to it, then `None`.
// The macro of riscv takes no name, and that of cortex-m requires one.
#[macro_export]
macro_rules! singleton {
    ($name:ident: $ty:ty = $value:expr) => {
        $crate::chip::unnamed_singleton!(: $ty = $value)
    };
}
#[doc(hidden)]
pub use ::riscv::singleton as unnamed_singleton;
pub use singleton;

/// Causes a fault: an illegal instruction.
pub fn fault() -> ! {
    #[allow(unsafe_code, reason = "assembly")]
    // SAFETY: the instruction traps, and the handler does not return.
    unsafe {
        asm!("unimp", options(noreturn));
    }
}

/// Returns the address of the instruction that trapped.
#[doc(hidden)]
pub fn trapped_at() -> u32 {
    // No truncation: addresses have 32 bits.
    ::riscv::register::mepc::read() as u32
}

/// Makes a function the fault handler. The function takes a [`Fault`](crate::chip::Fault) and does not return.
///
/// A program can have only one fault handler, so the program chooses it, not this library.
#[macro_export]
macro_rules! fault_handler {
    ($handler:path) => {
        #[allow(unsafe_code, reason = "riscv-rt looks for the handler by its name")]
        mod fault {
            // SAFETY: has the signature that riscv-rt documents for exceptions.
            #[unsafe(export_name = "ExceptionHandler")]
            extern "C" fn exception(frame: &$crate::chip::TrapFrame) -> ! {
                $handler($crate::chip::Fault { at: $crate::chip::trapped_at(), called_from: frame.ra as u32 })
            }
        }
    };
}
pub use fault_handler;
