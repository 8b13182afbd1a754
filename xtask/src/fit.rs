//! `cargo xtask fit`: counts networks of many shapes and fits the costs by which `exporter inspect` predicts instructions.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use lexopt::prelude::*;

use crate::command;
use crate::repo::Repo;
use crate::setup::{self, Purpose};
use crate::subcommand::{self, Subcommand};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "fit",
    summary: Some("fit the costs by which `exporter inspect` predicts instructions"),
    help: "\
cargo xtask fit [--board NAME] [--counts]

Counts networks of many shapes on every emulated core and writes exporter/data/costs.json, by which
`exporter inspect` predicts instructions. Takes ten to fifteen minutes, two for one board.

  --board NAME    only this board
  --counts        fit the counts of the last run again
",
    run: |mut args| {
        let mut options: Vec<OsString> = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Long("counts") => options.push("--counts".into()),
                Long("board") => options.extend(["--board".into(), subcommand::board(&mut args)?.name.into()]),
                other => return Err(other.unexpected().into()),
            }
        }
        run(&Repo::find(), &options)
    },
};

/// Starts the exporter's own program for it: what is fitted is what the exporter predicts with.
fn run(repo: &Repo, options: &[OsString]) -> Result<ExitCode> {
    setup::ensure(repo, Purpose::Use)?;
    let mut cargo = repo.cargo();
    cargo.args(["run", "--quiet", "--package", "exporter", "--example", "fit", "--"]).args(options);
    command::run(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}
