//! Installs subcommands of Cargo into `.tools/bin/` when they are first used. Each has a fixed version, which this
//! repository's settings are written for.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::say;
use crate::command::{ask, run};
use crate::repo::Repo;

/// Returns the path of the program for `cargo <name>`. If it is missing or has another version, it is built first,
/// which takes some minutes.
///
/// # Errors
/// Returns an error if the program cannot be built, or does not report the requested name and version.
pub fn ensure(repo: &Repo, name: &str, version: &str) -> Result<PathBuf> {
    let package = format!("cargo-{name}");
    let program = repo.tools().join("bin").join(format!("{package}{}", std::env::consts::EXE_SUFFIX));
    let expected = format!("{package} {version}");
    let is_there = || ask(Command::new(&program).args([name, "--version"])).as_deref() == Some(&*expected);
    if !is_there() {
        say(&format!("building {expected} into .tools/, which takes some minutes"));
        let mut cargo = repo.cargo();
        cargo.args(["install", &package, "--locked", "--force", "--version", version, "--root"]).arg(repo.tools());
        run(&mut cargo)
            .with_context(|| format!("cannot install {package}: check that the package registry can be reached"))?;
        if !is_there() {
            bail!("{} is not {expected}", repo.short(&program));
        }
    }
    Ok(program)
}
