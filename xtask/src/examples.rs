//! Programs in the folder `examples`: projects of their own, which use the runtime as a user's project does.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::board::{self, Board};
use crate::command::run_for_output;
use crate::firmware;
use crate::repo::Repo;

/// Cargo's target folder of the examples, from the repository's top.
pub const BUILDS: &str = "target/examples";

/// A package in the folder `examples`, with its own `Cargo.lock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Name of its folder, package and program.
    pub name: &'static str,
    /// Name of its board.
    board: &'static str,
}

/// The examples.
pub const EXAMPLES: [Example; 1] = [EMBASSY_PICO];

/// Console on USB with embassy, for the Raspberry Pi Pico.
pub const EMBASSY_PICO: Example = Example { name: "embassy-pico", board: "pico" };

impl Example {
    /// Returns its board.
    ///
    /// # Panics
    /// Panics if the table of boards does not have the board, which a test checks.
    pub fn board(&self) -> &'static Board {
        board::find(self.board).expect("a board of boards.toml")
    }

    /// Returns the path of its manifest from the repository's top.
    pub fn manifest(&self) -> String {
        format!("examples/{}/Cargo.toml", self.name)
    }

    /// Returns a command of Cargo's for the example, with the example's own `Cargo.lock` and the compiler for its chip.
    pub fn cargo(&self, repo: &Repo, command: &str) -> Command {
        // Started in the firmware's folder, Cargo finds the compiler that set-up may have made.
        let mut cargo = repo.firmware_cargo();
        cargo.args([command, "--locked", "--release", "--target", self.board().target]);
        cargo.arg("--manifest-path").arg(repo.root().join(self.manifest()));
        cargo.arg("--target-dir").arg(repo.root().join(BUILDS));
        cargo
    }

    /// Builds the program and returns the path of its ELF file.
    ///
    /// # Errors
    /// Cargo cannot build the program.
    pub fn build(&self, repo: &Repo) -> Result<PathBuf> {
        let mut cargo = self.cargo(repo, "build");
        cargo.arg("--message-format=json-render-diagnostics");
        let messages = run_for_output(&mut cargo)?;
        firmware::executable(&messages, self.name)
            .with_context(|| format!("cargo built no program named `{}`", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    /// No example is left out of the checks.
    #[test]
    fn every_folder_is_an_example() {
        let folder = Repo::find().root().join("examples");
        let folders = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = EXAMPLES.iter().map(|example| example.name.to_owned());
        assert_eq!(folders.collect::<BTreeSet<_>>(), names.collect());
    }

    #[test]
    fn the_lock_is_kept() {
        let repo = Repo::find();
        for example in EXAMPLES {
            let shown = crate::command::show(&example.cargo(&repo, "build"));
            assert!(shown.contains(" --locked ") && shown.contains(&example.manifest()), "{shown}");
            let lock = repo.root().join(example.manifest()).with_file_name("Cargo.lock");
            assert!(lock.exists(), "{}", lock.display());
        }
    }
}
