//! `cargo xtask test`: everything that must hold before a change is kept.

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
    summary: Some("format, lints, documentation and all tests; continuous integration runs it"),
    help: "\
cargo xtask test [--quick]

Checks format, lints and documentation, builds for every target, and runs all tests, those in the
emulator included. At the end it prints how long each part took, the slowest first.

  --quick    only format, lints, the tests of this machine without those of faults, and one
             emulated board
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
    /// Two minutes of checks.
    Quick,
    /// Everything.
    Full,
}

/// Seconds that each job took in the last run, from the repository's top: the longest starts first.
const TIMES: &str = "target/test-times.json";

fn run(repo: &Repo, scope: Scope) -> Result<ExitCode> {
    setup::ensure(repo, setup::Purpose::Test)?;
    let start = Instant::now();
    let times = repo.root().join(TIMES);
    // Without the file, or with a damaged one, only the order is worse.
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
