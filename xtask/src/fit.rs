//! `cargo xtask fit`: counts instructions of networks of many shapes and fits the costs that `exporter inspect`
//! predicts with.

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
    summary: Some("fit the instruction costs that `exporter inspect` predicts with"),
    help: "\
cargo xtask fit [--board NAME] [--counts]

Counts the instructions of networks of many shapes on every emulated core, fits the costs and writes
exporter/data/costs.json, which `exporter inspect` predicts with. Takes ten to fifteen minutes, or
two minutes for one board.

  --board NAME    only this board
  --counts        fit the counts of the last run again, without counting
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

/// Starts the exporter's own program, so that the fit uses the same code as the prediction.
fn run(repo: &Repo, options: &[OsString]) -> Result<ExitCode> {
    setup::ensure(repo, Purpose::Use)?;
    let mut cargo = repo.cargo();
    cargo.args(["run", "--quiet", "--package", "exporter", "--example", "fit", "--"]).args(options);
    command::run(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}
