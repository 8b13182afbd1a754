//! Compares the core's kernels of layout `Lanes16` with their definitions, and also its routines for gates and
//! pairs of characters if they are assembly.

use runtime::kernels::ASSEMBLY_ROUTINES;
use runtime::kernels::layout::lanes16;

use crate::gate;
use crate::pairs;
use crate::rows;

/// True if the kernels are assembly in this build.
pub const ASSEMBLY: bool = <lanes16::Lanes16I8 as runtime::kernels::layout::PackedLayout>::ASSEMBLY;

/// Compares, and prints the result. Returns how many numbers differ.
pub fn run() -> u32 {
    let mismatches = rows::run::<lanes16::Lanes16I8>();
    #[cfg(feature = "int4")]
    let mismatches = mismatches + rows::run::<lanes16::Lanes16I4>();
    mismatches + if ASSEMBLY_ROUTINES { gate::run() + pairs::run() } else { 0 }
}
