//! QEMU's machines, which run the firmware without a board.

use anyhow::{Result, bail};

use super::program::Program;
use crate::board::{self, Board};
use crate::repo::Repo;

/// `qemu-system-arm`.
pub const ARM: Program = Program {
    what: "QEMU",
    name: "qemu-system-arm",
    other_names: &[],
    folder: "qemu",
    apt: &["qemu-system-arm"],
    dnf: "qemu-system-arm",
    pacman: "qemu-system-arm",
    brew: Some("qemu"),
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
    other_names: &[],
    folder: "qemu-riscv",
    // Debian 13 moved the emulator into a package of its own.
    apt: &["qemu-system-riscv", "qemu-system-misc"],
    dnf: "qemu-system-riscv",
    pacman: "qemu-system-riscv",
    brew: Some("qemu"),
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

/// Returns why the installed QEMU cannot emulate a board. Returns `None` if it can, and if there is no QEMU: the start
/// of the emulator reports this.
pub fn lacks(repo: &Repo, board: &Board) -> Option<String> {
    too_old(board, &of(board).version(repo)?)
}

/// Checks that the installed QEMU emulates a board.
///
/// # Errors
/// Returns an error if no version of QEMU has the board. If a newer one has it, the error names both versions.
pub fn ensure_has(repo: &Repo, board: &Board) -> Result<()> {
    board.qemu_name()?;
    match lacks(repo, board) {
        Some(reason) => bail!("{}", with_advice(board, &reason)),
        None => Ok(()),
    }
}

/// Returns the reason why a version of QEMU, such as `7.2.22`, is too old for a board. A version that cannot be read is
/// no reason.
fn too_old(board: &Board, installed: &str) -> Option<String> {
    let (major, minor) = board.machine_since?;
    let is_older = board::version(installed)? < (major, minor);
    let name = of(board).name;
    is_older.then(|| format!("{} needs QEMU {major}.{minor} or newer, but {name} is {installed}", board.name))
}

/// Returns the reason, and what to do instead.
fn with_advice(board: &Board, reason: &str) -> String {
    let flash = board.chip.map(|_| format!(", or flash the board: `cargo xtask flash --board {}`", board.name));
    let others = board::names(board::emulated());
    format!("{reason}: install a newer QEMU, or choose one of {others}{}", flash.unwrap_or_default())
}

/// Returns the version in `QEMU emulator version 7.2.19 (Debian ...)`.
fn version(line: &str) -> Option<&str> {
    line.split_whitespace().skip_while(|word| *word != "version").nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_refused_by_older_versions_only() {
        let line = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)";
        assert_eq!(version(line), Some("7.2.22"));
        let board = board::find("b-l475e-iot01a").unwrap();
        let reason = too_old(board, "7.2.22").unwrap();
        assert_eq!(reason, "b-l475e-iot01a needs QEMU 9.1 or newer, but qemu-system-arm is 7.2.22");
        assert!(too_old(board, "9.0.4").is_some());
        for enough in ["9.1.0", "10.0.2", "unknown"] {
            assert_eq!(too_old(board, enough), None, "{enough}");
        }
        let advice = with_advice(board, &reason);
        assert!(advice.contains("choose one of mps2-an386, "), "{advice}");
        assert!(advice.ends_with("or flash the board: `cargo xtask flash --board b-l475e-iot01a`"), "{advice}");
        assert!(board::emulated().all(|board| too_old(board, "7.2.0").is_none()));
        let error = ensure_has(&Repo::find(), board::find("pico").unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("QEMU does not emulate pico: choose one of mps2-an386, "), "{error}");
    }
}
