//! `cargo xtask deny`: checks licences, sources, duplicates and known vulnerabilities of all dependencies with
//! cargo-deny and `deny.toml`.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::command::run as run_command;
use crate::repo::Repo;
use crate::setup::cargo_tool;
use crate::subcommand::{Subcommand, no_options};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "deny",
    summary: Some("check licences, sources and known vulnerabilities of all dependencies"),
    help: "\
cargo xtask deny

Checks licences, sources and known vulnerabilities of all dependencies with cargo-deny. The first
run installs cargo-deny.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// Version of cargo-deny to install: other versions may read `deny.toml` differently.
const VERSION: &str = "0.20.2";

/// Runs cargo-deny.
///
/// # Errors
/// Returns an error if cargo-deny refuses a dependency. Without a network there is no list of vulnerabilities: the run
/// prints a note and skips this check.
fn run(repo: &Repo) -> Result<ExitCode> {
    let program = cargo_tool::ensure(repo, "deny", VERSION)?;
    let deny = |arguments: &[&str]| {
        let mut deny = Command::new(&program);
        deny.current_dir(repo.root()).args(["--locked", "--workspace"]).args(arguments);
        deny
    };
    run_command(&mut deny(&["check", "licenses", "bans", "sources"]))?;
    if let Err(error) = run_command(&mut deny(&["fetch", "db"])) {
        eprintln!("skipped: known vulnerabilities, because the list cannot be fetched: {error:#}");
        return Ok(ExitCode::SUCCESS);
    }
    run_command(&mut deny(&["check", "--disable-fetch", "advisories"]))?;
    Ok(ExitCode::SUCCESS)
}
