//! Subcommands of Cargo that are fetched into `.tools/bin/` when they are first asked for, each in the version that this
//! repository's settings are written for.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::say;
use crate::command::{ask, run};
use crate::repo::Repo;

/// The program of `cargo <name>`, installed where it is missing or has another version: some minutes.
///
/// # Errors
/// It cannot be built, or is another program than was asked for.
pub fn ensure(repo: &Repo, name: &str, version: &str) -> Result<PathBuf> {
    let package = format!("cargo-{name}");
    let program = repo.tools().join("bin").join(format!("{package}{}", std::env::consts::EXE_SUFFIX));
    let expected = format!("{package} {version}");
    let is_there = || ask(Command::new(&program).args([name, "--version"])).as_deref() == Some(&*expected);
    if !is_there() {
        say(&format!("{expected} is built into .tools/: some minutes"));
        let mut cargo = repo.cargo();
        cargo.args(["install", &package, "--locked", "--force", "--version", version, "--root"]).arg(repo.tools());
        run(&mut cargo).with_context(|| format!("{package} cannot be installed; is crates.io within reach?"))?;
        if !is_there() {
            bail!("{} is not {expected}", repo.short(&program));
        }
    }
    Ok(program)
}
