//! The C and C++ compiler for Arm chips. Only the C library and its tests need it; Rust has its own linker.

use super::program::Program;

/// `arm-none-eabi-gcc` without a C library, which the example does not need.
pub const ARM_GCC: Program = Program {
    what: "C for ARM",
    name: "arm-none-eabi-gcc",
    other_names: &[],
    folder: "arm-gcc",
    apt: &["gcc-arm-none-eabi"],
    // With C++, for the test of the sketch; it depends on the C compiler.
    dnf: "arm-none-eabi-gcc-cs-c++",
    pacman: "arm-none-eabi-gcc",
    brew: Some("arm-none-eabi-gcc"),
    by_hand: "the Arm GNU toolchain",
    download: "50 to 150 MB",
    // Measured on Debian 12: 51 MB in 2 packages, and up to 6 library packages, unpack to 460 MB.
    unpacked_factor: 10,
    leave_out: &[],
    // arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205
    version: |line| line.split(')').next_back()?.split_whitespace().next(),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!((ARM_GCC.version)("arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205"), Some("12.2.1"));
        assert_eq!(
            (ARM_GCC.version)("arm-none-eabi-gcc (Arm GNU Toolchain 13.2.rel1) 13.2.1 20231009"),
            Some("13.2.1")
        );
    }
}
