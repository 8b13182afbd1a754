//! Directives for the assembly of RISC-V.

/// Tells the assembler which instructions it may use; it does not know the compiler's target. To be followed by
/// `.option pop`.
#[cfg(target_feature = "c")]
macro_rules! architecture {
    () => {
        ".option push\n.option arch, +m, +c"
    };
}
#[cfg(not(target_feature = "c"))]
macro_rules! architecture {
    () => {
        ".option push\n.option arch, +m"
    };
}
pub(crate) use architecture;
