//! `cargo xtask doctor`: lists what is installed and what is missing.

use std::process::ExitCode;

use anyhow::Result;

use crate::repo::Repo;
use crate::setup::table;
use crate::subcommand::{Subcommand, no_options};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "doctor",
    summary: Some("show what is installed and what is missing, without changing anything"),
    help: "\
cargo xtask doctor

Shows what is installed and what is missing, and changes nothing. Exit status 1 if anything is
missing.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// Prints the table. Returns failure if a piece is missing.
fn run(repo: &Repo) -> Result<ExitCode> {
    let complete = table::print(repo);
    if complete {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nNext: cargo xtask setup");
    Ok(ExitCode::FAILURE)
}
