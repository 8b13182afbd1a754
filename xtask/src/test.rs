//! `cargo xtask test`: runs every check that a change must pass.

mod checks;
mod jobs;
mod package;
mod packages;
mod programs;
mod summary;

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use lexopt::prelude::*;

use crate::repo::Repo;
use crate::setup;
use crate::subcommand::Subcommand;
use jobs::{Outcome, Verdict};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "test",
    summary: Some("run all checks, as continuous integration does: format, lints, documentation, tests"),
    help: "\
cargo xtask test [--quick]

Checks format, lints and documentation, builds for every target, and runs all tests, including those
in the emulator. At the end it prints the time of each part, the slowest first.

  --quick    run only format, lints, this machine's tests without those of faults, and one emulated
             board
",
    run: |mut args| {
        let mut scope = Scope::Full;
        while let Some(arg) = args.next()? {
            match arg {
                Long("quick") => scope = Scope::Quick,
                other => return Err(other.unexpected().into()),
            }
        }
        run(&Repo::find(), scope)
    },
};

/// Extent of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// About two minutes of checks.
    Quick,
    /// All checks.
    Full,
}

/// Path of the file with each job's seconds in the last run, from the repository's top: the longest job starts first.
const TIMES: &str = "target/test-times.json";

fn run(repo: &Repo, scope: Scope) -> Result<ExitCode> {
    setup::ensure(repo, setup::Purpose::Test)?;
    let start = Instant::now();
    let times = repo.root().join(TIMES);
    // Without the file, or with a damaged one, only the order suffers.
    let known = fs::read_to_string(&times).ok().and_then(|text| serde_json::from_str(&text).ok());
    let mut known: BTreeMap<String, f64> = known.unwrap_or_default();
    let outcomes = jobs::run(checks::all(repo, scope)?, &known);
    known.extend(outcomes.iter().map(|Outcome { name, time, .. }| (name.clone(), time.as_secs_f64())));
    if let Err(error) = fs::write(&times, serde_json::to_string_pretty(&known)?) {
        eprintln!("warning: cannot write {TIMES}, so the next run may take longer: {error}");
    }
    print!("{}", summary::of(&outcomes, start.elapsed()));
    let failed = outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed { .. }));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
