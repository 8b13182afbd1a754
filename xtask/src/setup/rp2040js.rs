//! rp2040js, the emulator of the Raspberry Pi Pico, from the npm registry. It needs Node, which the system provides.
//! Nothing of it is needed to build or flash.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::piece::Piece;
use super::prerequisites::NODE;
use super::say;
use crate::command::{ask, on_path, run};
use crate::repo::Repo;

/// Row of the doctor's table.
const WHAT: &str = "emulator of the Pico";
/// The oldest Node that rp2040js and our program run on.
const OLDEST_NODE: u32 = 18;

/// Returns Node's version.
fn node() -> Option<String> {
    ask(Command::new("node").arg("--version")).map(|text| text.trim_start_matches('v').to_owned())
}

/// Returns whether Node and its package manager are there, and new enough.
fn has_node() -> bool {
    let version = node().and_then(|version| version.split('.').next()?.parse().ok());
    version.is_some_and(|version: u32| version >= OLDEST_NODE) && on_path("npm").is_some()
}

fn folder(repo: &Repo) -> PathBuf {
    repo.firmware().join("emulator")
}

/// Reads the version in a package's description.
fn version_in(file: &PathBuf) -> Option<String> {
    let description: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    Some(description["version"].as_str()?.to_owned())
}

/// Returns the version that the lock file names.
fn wanted(repo: &Repo) -> Result<String> {
    let file = folder(repo).join("package-lock.json");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let lock: serde_json::Value = serde_json::from_str(&text)?;
    let version = lock["packages"]["node_modules/rp2040js"]["version"].as_str();
    Ok(version.with_context(|| format!("{} names no rp2040js", file.display()))?.to_owned())
}

fn is_there(repo: &Repo) -> bool {
    let installed = version_in(&folder(repo).join("node_modules/rp2040js/package.json"));
    installed.is_some() && installed == wanted(repo).ok()
}

/// Returns the command that starts the emulator, without the UF2 file.
///
/// # Errors
/// Returns an error if Node or the emulator is missing.
pub fn command(repo: &Repo) -> Result<Command> {
    ensure!(has_node(), "no {} ({})", NODE.what, NODE.hint());
    ensure!(is_there(repo), "the emulator of the Pico is missing: run `cargo xtask setup`");
    let mut node = Command::new("node");
    node.arg(folder(repo).join("main.js"));
    Ok(node)
}

/// Fetches the emulator into `firmware-example/emulator/node_modules`.
///
/// # Errors
/// Returns an error if there is no Node, or if npm cannot fetch the package.
pub fn setup(repo: &Repo) -> Result<()> {
    if !has_node() {
        bail!("no {} ({})", NODE.what, NODE.hint());
    }
    let version = wanted(repo)?;
    if is_there(repo) {
        say(&format!("rp2040js {version} is installed"));
        return Ok(());
    }
    say("fetches 0.3 MB, keeps 3 MB in firmware-example/emulator/node_modules");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(folder(repo));
    run(&mut npm).context("npm cannot fetch the emulator; run the same command again")?;
    say(&format!("done: rp2040js {version}"));
    Ok(())
}

/// Returns the row of the table that `cargo xtask doctor` prints.
pub fn piece(repo: &Repo) -> Piece {
    if !has_node() {
        return Piece::missing(WHAT, NODE.hint());
    }
    if !is_there(repo) {
        return Piece::missing(WHAT, "`cargo xtask setup` fetches it");
    }
    Piece::there(WHAT, wanted(repo).unwrap_or_default(), repo.short(&folder(repo)))
}
