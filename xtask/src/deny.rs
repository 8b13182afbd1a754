//! `cargo xtask deny`: licences, sources, duplicates and known vulnerabilities of all dependencies, by cargo-deny and `deny.toml`.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::command::{ask, run as run_command};
use crate::repo::Repo;

/// The version that is installed: another one may read `deny.toml` otherwise.
const VERSION: &str = "0.20.2";

/// The command.
///
/// # Errors
/// What cargo-deny refuses. Without a network there are no advisories, which is said and is no error.
pub fn run(repo: &Repo) -> Result<ExitCode> {
    let program = install(repo)?;
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

/// cargo-deny in `.tools/bin`; some minutes the first time.
fn install(repo: &Repo) -> Result<PathBuf> {
    let program = repo.tools().join(format!("bin/cargo-deny{}", std::env::consts::EXE_SUFFIX));
    if ask(Command::new(&program).arg("--version")).as_deref() != Some(&format!("cargo-deny {VERSION}")) {
        let mut cargo = repo.cargo();
        cargo.args(["install", "cargo-deny", "--locked", "--version", VERSION, "--root"]).arg(repo.tools());
        run_command(&mut cargo)?;
    }
    Ok(program)
}
