//! `cargo xtask doctor`: what is there and what is missing.

use std::process::ExitCode;

use anyhow::Result;

use crate::repo::Repo;
use crate::setup::table;

/// The command: the table, and a status that says whether anything is missing.
pub fn run(repo: &Repo) -> Result<ExitCode> {
    let complete = table::print(repo);
    if complete {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nNext: cargo xtask setup");
    Ok(ExitCode::FAILURE)
}
