//! Cores whose instructions are predicted.

use runtime::format::{Core, Precision};

/// Returns the emulated board on which a core's instructions are counted, or `None` for a core that is not predicted.
///
/// Cortex-M0+ runs the code of M0, Cortex-M7 that of M4, Hazard3 that of RV32IMC. Cortex-M85 runs the code of M55, but
/// no chip with it is in [`CHIPS`](crate::chip::CHIPS).
pub const fn counted_on(core: Core) -> Option<&'static str> {
    match core {
        Core::M0 | Core::M0Plus => Some("microbit"),
        Core::M3 => Some("mps2-an385"),
        Core::M4 | Core::M7 => Some("mps2-an386"),
        Core::M33 => Some("mps2-an505"),
        Core::M55 => Some("mps3-an547"),
        Core::M85 => None,
        Core::Rv32imc | Core::Hazard3 => Some("riscv-virt"),
    }
}

/// Returns the cores that are predicted, in the order of [`Core::ALL`].
pub fn predicted() -> impl Iterator<Item = Core> {
    Core::ALL.iter().copied().filter(|&core| counted_on(core).is_some())
}

/// Returns whether a precision is predicted on a core: f32 only where the core computes it in hardware.
pub const fn is_predicted(core: Core, precision: Precision) -> bool {
    precision.is_integer() || core.has_fpu()
}
