//! `cargo xtask cases`: runs the exporter on networks, word lists and terminals from the field, and prints the
//! outcomes.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command::run as run_command;
use crate::repo::Repo;
use crate::setup::{self, Purpose};
use crate::subcommand::{Subcommand, no_options};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "cases",
    summary: Some("run the exporter on inputs from the field and print the outcomes"),
    help: "\
cargo xtask cases

Runs the exporter on inputs that users bring (docs/trust/record/from-the-field.md), checks each
outcome, and prints a table: input, command, outcome.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// Runs the tests of `exporter/tests/cases` and prints the rows that they record.
///
/// # Errors
/// Returns an error if a case has the wrong outcome.
fn run(repo: &Repo) -> Result<ExitCode> {
    setup::ensure(repo, Purpose::Test)?;
    let table = repo.root().join("target/cases.tsv");
    if table.exists() {
        fs::remove_file(&table).with_context(|| format!("cannot remove {}", table.display()))?;
    }
    let mut cargo = repo.cargo();
    cargo.args(["test", "--package", "exporter", "--test", "cases"]).env("CASES_TABLE", &table);
    run_command(&mut cargo)?;
    let rows = fs::read_to_string(&table).with_context(|| format!("cannot read {}", table.display()))?;
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_unstable();
    rows.dedup();
    println!("| input | command | outcome |\n|---|---|---|");
    for row in &rows {
        println!("| {} |", row.replace('\t', " | "));
    }
    println!("{} rows", rows.len());
    Ok(ExitCode::SUCCESS)
}
