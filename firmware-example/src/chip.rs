//! What belongs to the processor's architecture. Programs, the console and boards reach it only here, so that a board
//! of another architecture is a second folder beside `chip/cortex_m`, with the same names in it:
//!
//! - `entry`: the attribute of the function that a program begins with.
//! - `fault_handler!`: makes a function that takes a [`Fault`] the handler of faults.
//! - `fault`: causes one, for tests.
//! - `reset`: restarts the chip.
//! - `singleton!`: a static that is taken once.
//! - `sections`: flash and RAM of the running program, from the linker's symbols.
//! - `Systick`, `Cycles`, `Either`: stopwatches, of which the board chooses one.
//! - `PAINT` and `stack_pointer`, for [`stack`].
//! - memcpy and memset, which the compiler calls.

#[cfg(target_arch = "arm")]
mod cortex_m;
pub mod stack;

#[cfg(target_arch = "arm")]
pub use self::cortex_m::*;

/// Where a fault was.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The address of the instruction.
    pub at: u32,
    /// The address to which the function returns.
    pub called_from: u32,
}

#[cfg(not(target_arch = "arm"))]
compile_error!("src/chip has no folder for this architecture");
