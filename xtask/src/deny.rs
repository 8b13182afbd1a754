//! `cargo xtask deny`: licences, sources, duplicates and known vulnerabilities of all dependencies, by cargo-deny and `deny.toml`.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::command::run as run_command;
use crate::repo::Repo;
use crate::setup::cargo_tool;
use crate::subcommand::{Subcommand, no_options};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "deny",
    summary: Some("licences, sources and known vulnerabilities of all dependencies"),
    help: "\
cargo xtask deny

Checks licences, sources and known vulnerabilities of all dependencies with cargo-deny, which the
first run installs.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// The version that is installed: another one may read `deny.toml` otherwise.
const VERSION: &str = "0.20.2";

/// Runs cargo-deny.
///
/// # Errors
/// cargo-deny refuses a dependency. Without a network there is no list of vulnerabilities: the run says so and goes on.
fn run(repo: &Repo) -> Result<ExitCode> {
    let program = cargo_tool::ensure(repo, "deny", VERSION)?;
    let deny = |arguments: &[&str]| {
        let mut deny = Command::new(&program);
        deny.current_dir(repo.root()).args(["--locked", "--workspace"]).args(arguments);
        deny
    };
    run_command(&mut deny(&["check", "licenses", "bans", "sources"]))?;
    if let Err(error) = run_command(&mut deny(&["fetch", "db"])) {
        eprintln!("skipped: known vulnerabilities: the list of them cannot be fetched: {error:#}");
        return Ok(ExitCode::SUCCESS);
    }
    run_command(&mut deny(&["check", "--disable-fetch", "advisories"]))?;
    Ok(ExitCode::SUCCESS)
}
