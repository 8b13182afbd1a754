//! Checks that the assembly kernels compute the same as their definitions in Rust on this core.
//!
//! The features of the build select the kernels: those of the board's layout of integer weights, also in four bits with
//! `int4`, and the floating-point kernel with `f32`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(all(target_os = "none", feature = "int8"))]
mod copies;
#[cfg(all(target_os = "none", feature = "int8", feature = "dual16"))]
mod dual16;
#[cfg(all(target_os = "none", feature = "int8"))]
mod gate;
#[cfg(all(target_os = "none", feature = "int8", feature = "lanes16"))]
mod lanes16;
#[cfg(all(target_os = "none", feature = "int8", any(feature = "lanes16", feature = "vector128")))]
mod pairs;
#[cfg(target_os = "none")]
#[allow(dead_code, reason = "no build needs all of it")]
mod random;
#[cfg(all(target_os = "none", feature = "int8"))]
mod rows;
#[cfg(target_os = "none")]
#[allow(dead_code, reason = "no build needs all of it")]
mod tally;
#[cfg(all(target_os = "none", feature = "int8", feature = "vector128"))]
mod vector128;
#[cfg(all(target_os = "none", feature = "f32", target_abi = "eabihf"))]
mod vfp;

#[cfg(not(target_os = "none"))]
fn main() {
    firmware_example::how_to_run("kerneltest");
}

#[cfg(target_os = "none")]
firmware_example::semihosting_handlers!();

#[cfg(target_os = "none")]
/// Runs after start-up.
#[firmware_example::chip::entry]
fn entry() -> ! {
    // The report names the kernels that failed.
    semihosting::process::exit(i32::from(!on_chip::passes()))
}

#[cfg(target_os = "none")]
mod on_chip {
    use firmware_example::{board, println};

    /// Set of kernels: whether it is assembly in this build, and the function that compares it and returns how many
    /// numbers differ.
    type Kernels = (bool, fn() -> u32);

    const KERNELS: &[Kernels] = &[
        // With the feature `int8` these routines are assembly on every core.
        #[cfg(feature = "int8")]
        (true, crate::copies::run),
        #[cfg(all(feature = "int8", feature = "dual16"))]
        (crate::dual16::ASSEMBLY, crate::dual16::run),
        #[cfg(all(feature = "int8", feature = "lanes16"))]
        (crate::lanes16::ASSEMBLY, crate::lanes16::run),
        #[cfg(all(feature = "int8", feature = "vector128"))]
        (crate::vector128::ASSEMBLY, crate::vector128::run),
        #[cfg(all(feature = "f32", target_abi = "eabihf"))]
        (runtime::kernels::ASSEMBLY_F32, crate::vfp::run),
    ];

    /// Compares all kernels, and prints the results. Returns whether all of them are assembly and compute the same as
    /// their definitions.
    pub fn passes() -> bool {
        println!("board={}", board::NAME);
        let assembly = !KERNELS.is_empty() && KERNELS.iter().all(|(assembly, _)| *assembly);
        println!("assembly={assembly}");
        let mismatches: u32 = KERNELS.iter().map(|(_, run)| run()).sum();
        assembly && mismatches == 0
    }
}
