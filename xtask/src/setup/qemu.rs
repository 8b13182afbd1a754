//! QEMU's machines, which run the firmware without a board.

use super::program::Program;
use crate::board::Board;

/// `qemu-system-arm`.
pub const ARM: Program = Program {
    what: "QEMU",
    name: "qemu-system-arm",
    folder: "qemu",
    apt: &["qemu-system-arm"],
    dnf: "qemu-system-arm",
    pacman: "qemu-system-arm",
    brew: "qemu",
    by_hand: "QEMU 7.2 or newer",
    download: "10 to 200 MB",
    // Measured on Debian 12: 24 packages, 16 MB, unpack to 62 MB.
    unpacked_factor: 5,
    leave_out: &[],
    version,
};

/// `qemu-system-riscv32`.
pub const RISCV: Program = Program {
    what: "QEMU for RISC-V",
    name: "qemu-system-riscv32",
    folder: "qemu-riscv",
    // Debian 13 moved the emulator into a package of its own.
    apt: &["qemu-system-riscv", "qemu-system-misc"],
    dnf: "qemu-system-riscv",
    pacman: "qemu-system-riscv",
    brew: "qemu",
    by_hand: "QEMU 7.2 or newer",
    download: "10 to 200 MB",
    // Measured on Debian 12: 24 packages, 53 MB, unpack to 75 MB without the other emulators.
    unpacked_factor: 2,
    leave_out: &["./usr/bin/qemu-system-[!r]*", "./usr/bin/qemu-system-riscv64", "./usr/bin/qemu-system-rx"],
    version,
};

/// Returns the emulator of a board.
pub fn of(board: &Board) -> &'static Program {
    if board.is_riscv() { &RISCV } else { &ARM }
}

/// Returns the version in `QEMU emulator version 7.2.19 (Debian ...)`.
fn version(line: &str) -> Option<&str> {
    line.split_whitespace().skip_while(|word| *word != "version").nth(1)
}
