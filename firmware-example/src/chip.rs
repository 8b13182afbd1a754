//! Code that depends on the processor's architecture. Programs, the console and boards use it only through this module.
//! A board of another architecture needs a second folder beside `chip/cortex_m` that defines the same names:
//!
//! - `entry`: the attribute of a program's main function.
//! - `fault_handler!`: makes a function that takes a [`Fault`] the fault handler.
//! - `fault`: causes a fault, for tests.
//! - `reset`: restarts the chip.
//! - `singleton!`: a static that can be taken once.
//! - `sections`: flash and RAM of the running program, from the linker's symbols.
//! - `Systick`, `Cycles`, `Either`: stopwatches, one of which the board selects.
//! - `PAINT` and `stack_pointer`, for [`stack`].
//! - memcpy and memset, which the compiler calls.

#[cfg(target_arch = "arm")]
mod cortex_m;
pub mod stack;

#[cfg(target_arch = "arm")]
pub use self::cortex_m::*;

/// Location of a fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Address of the instruction.
    pub at: u32,
    /// Return address of the function.
    pub called_from: u32,
}

#[cfg(not(target_arch = "arm"))]
compile_error!("src/chip has no folder for this architecture");
