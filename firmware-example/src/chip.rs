//! Code that depends on the processor's architecture. Programs, the console and boards use it only through this module.
//! `chip/cortex_m` and `chip/riscv` define the same names:
//!
//! - `entry`: the attribute of a program's main function.
//! - `fault_handler!`: makes a function that takes a [`Fault`] the fault handler.
//! - `fault`: causes a fault, for tests.
//! - `reset`: restarts the chip. Only Cortex-M has a common way to do it; for RISC-V, the board's file defines it.
//! - `NVIC`: turns single interrupts on and off. Only on Cortex-M, for boards with USB.
//! - `singleton!`: a static that can be taken once.
//! - `sections`: flash and RAM of the running program, from the linker's symbols.
//! - `Systick`, `Cycles`, `Either`, `Mcycle`, `Mpccr`: stopwatches, one of which the board selects.
//! - `PAINT` and `stack_pointer`, for [`stack`].
//! - memcpy and memset, which the compiler calls.

#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(target_arch = "riscv32")]
mod riscv;
pub mod stack;

#[cfg(target_arch = "arm")]
pub use self::cortex_m::*;
#[cfg(target_arch = "riscv32")]
pub use self::riscv::*;

/// Location of a fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Address of the instruction.
    pub at: u32,
    /// Return address of the function.
    pub called_from: u32,
}

#[cfg(not(any(target_arch = "arm", target_arch = "riscv32")))]
compile_error!("src/chip has no folder for this architecture");
