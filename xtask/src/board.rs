//! The boards that firmware is built for. A row here, and in `firmware-example` a feature, a memory map and a few lines
//! of code: set-up, runners, tests and sizes follow.

use anyhow::{Context, Result};

/// A board, as Cargo and QEMU know it.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Its feature of `firmware-example`, and its memory map: `firmware-example/memory/<name>.x`.
    pub name: &'static str,
    /// The processor.
    pub core: &'static str,
    /// What the compiler calls it.
    pub target: &'static str,
    /// What QEMU calls the board.
    pub machine: &'static str,
}

/// The boards, the default first. Plain `cargo run` for a target starts the first board that has it.
pub const BOARDS: &[Board] = &[
    Board { name: "mps2-an386", core: "Cortex-M4F", target: "thumbv7em-none-eabihf", machine: "mps2-an386" },
    Board { name: "mps2-an385", core: "Cortex-M3", target: "thumbv7m-none-eabi", machine: "mps2-an385" },
    Board { name: "microbit", core: "Cortex-M0", target: "thumbv6m-none-eabi", machine: "microbit" },
];

/// The board where none is named.
pub fn default() -> &'static Board {
    &BOARDS[0]
}

/// The board of this name.
pub fn find(name: &str) -> Result<&'static Board> {
    BOARDS.iter().find(|board| board.name == name).with_context(|| {
        let names: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        format!("no board `{name}`; there are {}", names.join(", "))
    })
}

/// The targets of the boards, each once.
pub fn targets() -> Vec<&'static str> {
    let mut targets = Vec::new();
    for board in BOARDS {
        if !targets.contains(&board.target) {
            targets.push(board.target);
        }
    }
    targets
}

impl Board {
    /// QEMU's command line but for the program, the same as in `.cargo/config.toml`.
    ///
    /// The console is semihosting, on stdout alone. `-icount` advances virtual time by 2^6 ns for each instruction:
    /// SysTick then counts instructions, the same number in every run.
    pub fn qemu_args(&self) -> Vec<&'static str> {
        let mut args = vec!["-machine", self.machine, "-nographic", "-monitor", "none", "-serial", "none"];
        args.extend(["-icount", "shift=6,align=off,sleep=off", "-semihosting-config", "enable=on,target=native"]);
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Repo;

    #[test]
    fn boards_are_found_by_name() {
        assert_eq!(find("microbit").unwrap().target, "thumbv6m-none-eabi");
        let error = find("microbot").unwrap_err().to_string();
        assert_eq!(error, "no board `microbot`; there are mps2-an386, mps2-an385, microbit");
    }

    /// What `firmware-example` has to have for a board.
    #[test]
    fn every_board_has_its_files() {
        let firmware = Repo::find().firmware();
        let manifest = std::fs::read_to_string(firmware.join("Cargo.toml")).unwrap();
        let build = std::fs::read_to_string(firmware.join("build.rs")).unwrap();
        for Board { name, target, .. } in BOARDS {
            assert!(build.contains(&format!("(\"{name}\", \"{target}\")")), "no {name} in build.rs");
            assert!(firmware.join(format!("memory/{name}.x")).exists(), "no memory map of {name}");
            assert!(manifest.contains(&format!("\n{name} = [")), "no feature {name}");
        }
        assert!(manifest.contains(&format!("\ndefault = [\"{}\"", default().name)));
    }
}
