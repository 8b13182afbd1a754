//! The spell checker `typos`, a program in a Python package. Only the test of the language needs it.

use std::env::consts::EXE_SUFFIX;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::piece::Piece;
use super::prerequisites::{PYTHON, pip};
use super::{finish, fresh, remove, say};
use crate::command::{ask, on_path, run};
use crate::repo::Repo;

/// The version whose dictionary the repository is checked with: another one may know other words.
const VERSION: &str = "1.52.0";

/// Name of the program and of its package.
const NAME: &str = "typos";

/// Folder that pip installs into.
const PLACE: &str = ".tools/typos";

/// Returns the program: the one on the PATH if it has the right version, or the one that set-up fetched.
///
/// # Errors
/// Returns an error if there is no program of that version.
pub fn find(repo: &Repo) -> Result<PathBuf> {
    let fetched = repo.root().join(PLACE).join("bin").join(format!("{NAME}{EXE_SUFFIX}"));
    let is_right =
        |file: &PathBuf| ask(Command::new(file).arg("--version")).is_some_and(|text| text.ends_with(VERSION));
    let found = [on_path(NAME), Some(fetched)].into_iter().flatten().find(is_right);
    found.with_context(|| format!("{NAME} {VERSION} is missing"))
}

/// Installs the program into `.tools/typos` where it is missing.
///
/// # Errors
/// Returns an error if there is no pip, or if pip cannot fetch the package.
pub fn setup(repo: &Repo) -> Result<()> {
    if let Ok(file) = find(repo) {
        say(&format!("{VERSION} is installed ({})", repo.short(&file)));
        return Ok(());
    }
    if pip().is_none() {
        let by_hand = format!("or cargo install {NAME}-cli --version {VERSION} --locked");
        bail!("no {} ({}; {by_hand})", PYTHON.what, PYTHON.hint());
    }
    say("fetches 8 MB, keeps 34 MB in .tools/typos");
    let partial = repo.tools().join(format!("{NAME}.partial"));
    fresh(&partial)?;
    let mut install = Command::new("python3");
    install.args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]);
    install.args(["--disable-pip-version-check", "--quiet", "--target"]);
    install.arg(&partial).arg(format!("{NAME}=={VERSION}"));
    // As an option, only newer versions of pip know it.
    install.env("PIP_ROOT_USER_ACTION", "ignore");
    run(&mut install).context("pip cannot fetch the spell checker; run the same command again")?;
    finish(&partial, &repo.root().join(PLACE))?;
    let file = find(repo).inspect_err(|_| remove(&repo.root().join(PLACE)).unwrap_or_default())?;
    say(&format!("done: {VERSION} ({})", repo.short(&file)));
    Ok(())
}

/// Returns the row of the table that `cargo xtask doctor` prints.
pub fn piece(repo: &Repo) -> Piece {
    match find(repo) {
        Ok(file) => Piece::there("spell checker", VERSION, repo.short(&file)),
        Err(_) => Piece::missing("spell checker", "`cargo xtask setup` fetches it"),
    }
}
