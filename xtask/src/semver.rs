//! `cargo xtask semver`: compares the runtime's public items with those of the last release.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::command::{ask, run as run_command};
use crate::repo::Repo;
use crate::setup::cargo_tool;
use crate::subcommand::{Subcommand, no_options};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "semver",
    summary: Some("compare the runtime's public items with those of the last release"),
    help: "\
cargo xtask semver

Compares the public items of the runtime with those of the last release, the last tag v*, and
fails if the version number in Cargo.toml does not allow the difference. The first run installs
cargo-semver-checks, which takes some minutes.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// Version of cargo-semver-checks to install: it must know the compiler's format of documentation in JSON.
const VERSION: &str = "0.51.0";

/// Runs cargo-semver-checks.
///
/// # Errors
/// Returns an error if the version number does not allow a change, or if the tool cannot be installed.
fn run(repo: &Repo) -> Result<ExitCode> {
    let Some(tag) = last_release(repo) else {
        println!("nothing to compare with: no commit before this one has a tag v*, as in v0.1.0");
        return Ok(ExitCode::SUCCESS);
    };
    let program = cargo_tool::ensure(repo, "semver-checks", VERSION)?;
    let mut check = Command::new(program);
    check.current_dir(repo.root()).args(["semver-checks", "--package", "runtime", "--baseline-rev", &tag]);
    // `std` enables all others.
    check.args(["--only-explicit-features", "--features", "std"]);
    run_command(&mut check).with_context(|| format!("compared with {tag}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the last tag `v*` at or before this commit.
fn last_release(repo: &Repo) -> Option<String> {
    ask(Command::new("git").current_dir(repo.root()).args(["describe", "--tags", "--abbrev=0", "--match", "v*"]))
}
