//! QEMU's ARM machines, which run the firmware without a board.

use super::program::Program;

/// `qemu-system-arm`.
pub const QEMU: Program = Program {
    what: "QEMU",
    name: "qemu-system-arm",
    folder: "qemu",
    apt: "qemu-system-arm",
    dnf: "qemu-system-arm",
    pacman: "qemu-system-arm",
    brew: "qemu",
    by_hand: "QEMU 7.2 or newer",
    download: "10 to 200 MB",
    // Measured on Debian 12: 24 packages, 16 MB, unpack to 62 MB.
    unpacked_factor: 5,
    // QEMU emulator version 7.2.19 (Debian ...)
    version: |line| line.split_whitespace().skip_while(|word| *word != "version").nth(1),
};
