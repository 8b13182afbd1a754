//! Installs the tools to test the NEON kernels on a machine without NEON: a Rust target, and QEMU for Linux programs.

use std::env::consts;
use std::process::Command;

use anyhow::Result;

use super::piece::Piece;
use super::program::Program;
use super::{say, thumb};
use crate::command::run;
use crate::repo::Repo;

/// The target with musl: Rust has its C library and a linker for it, so no C compiler for AArch64 is needed.
pub const TARGET: &str = "aarch64-unknown-linux-musl";

/// Rust's own linker, which every toolchain of rustup has.
pub const LINKER: &str = "rust-lld";

/// `qemu-aarch64`, which runs a single program instead of a whole machine.
pub const QEMU_USER: Program = Program {
    what: "QEMU for AArch64",
    name: "qemu-aarch64",
    other_names: &[],
    folder: "qemu-user",
    apt: &["qemu-user"],
    dnf: "qemu-user",
    pacman: "qemu-user",
    // On macOS the program is never used: see `skipped`.
    brew: Some("qemu"),
    by_hand: "QEMU 7.2 or newer for user mode",
    download: "10 to 30 MB",
    // Measured on Debian 12: 12 MB unpack to 97 MB.
    unpacked_factor: 9,
    leave_out: &[],
    // qemu-aarch64 version 7.2.22 (Debian ...)
    version: |line| line.split_whitespace().skip_while(|word| *word != "version").nth(1),
};

/// Facts that decide whether NEON can be emulated.
#[derive(Clone, Copy)]
struct Machine {
    arch: &'static str,
    os: &'static str,
    has_target: bool,
}

impl Machine {
    fn look(repo: &Repo) -> Self {
        Self { arch: consts::ARCH, os: consts::OS, has_target: thumb::toolchain_has(repo, TARGET) }
    }

    /// Returns why NEON needs no emulation here, or cannot have one.
    fn needless(self) -> Option<&'static str> {
        match self {
            Self { arch: "aarch64", .. } => Some("not needed: this machine is an AArch64, so its own tests use NEON"),
            Self { os, .. } if os != "linux" => Some("QEMU runs Linux programs only on Linux"),
            _ => None,
        }
    }

    fn skipped(self) -> Option<String> {
        let no_target = || format!("the Rust toolchain has no {TARGET}, and rustup could not add it");
        self.needless().map(str::to_owned).or_else(|| (!self.has_target).then(no_target))
    }
}

/// Returns why the tests with NEON are left out here, or `None` if they run.
pub fn skipped(repo: &Repo) -> Option<String> {
    Machine::look(repo).skipped()
}

/// Runs this step of set-up. A missing target is not a failure: the summary of the tests says that they are skipped.
pub fn setup(repo: &Repo) -> Result<()> {
    let machine = Machine::look(repo);
    // If the compiler for chips came from Debian, rustup's servers cannot be reached.
    if machine.needless().is_none() && !machine.has_target && thumb::may_ask_rustup() && !thumb::uses_debian(repo) {
        say("fetching about 40 MB into the Rust toolchain (140 MB unpacked)");
        let mut add = Command::new("rustup");
        if let Err(error) = run(add.args(["target", "add", TARGET]).current_dir(repo.root())) {
            say(&format!("{error:#}"));
        }
    }
    match skipped(repo) {
        Some(reason) => {
            say(&format!("skipped: {reason}"));
            Ok(())
        }
        None => {
            say(&format!("{TARGET} is installed (in the Rust toolchain)"));
            QEMU_USER.setup(repo)
        }
    }
}

/// Returns the doctor's row.
pub fn piece(repo: &Repo) -> Piece {
    skipped(repo).map_or_else(|| QEMU_USER.piece(repo), |reason| Piece::skipped(QEMU_USER.what, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulated_where_it_is_needed_and_can_be() {
        let skipped = |arch, os, has_target| Machine { arch, os, has_target }.skipped();
        assert_eq!(skipped("x86_64", "linux", true), None);
        assert!(skipped("x86_64", "linux", false).unwrap().contains("the Rust toolchain has no aarch64"));
        assert!(skipped("aarch64", "linux", true).unwrap().contains("not needed"));
        assert!(skipped("aarch64", "macos", true).unwrap().contains("not needed"));
        assert!(skipped("x86_64", "macos", true).unwrap().contains("only on Linux"));
    }

    #[test]
    fn versions() {
        let line = "qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)";
        assert_eq!((QEMU_USER.version)(line), Some("7.2.22"));
    }
}
