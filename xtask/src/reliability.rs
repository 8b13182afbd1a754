//! `cargo xtask reliability`: makes the faults of `docs/trust/record/reliability.md` and compares the messages, or
//! records them.

use std::process::{Command, ExitCode};

use anyhow::Result;
use lexopt::prelude::*;

use crate::command::{ask, run as run_command};
use crate::repo::Repo;
use crate::setup::{self, Purpose};
use crate::subcommand::Subcommand;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "reliability",
    summary: Some("make the faults of docs/trust/record/reliability.md and compare the messages"),
    help: "\
cargo xtask reliability [--record]

Makes the faults of docs/trust/record/reliability.md and compares the messages with that document.

  --record    write the messages to the document
",
    run: |mut args| {
        let mut record = false;
        while let Some(arg) = args.next()? {
            match arg {
                Long("record") => record = true,
                other => return Err(other.unexpected().into()),
            }
        }
        run(&Repo::find(), record)
    },
};

/// Runs the tests that make the faults.
///
/// # Errors
/// Returns an error at the first test that fails.
fn run(repo: &Repo, record: bool) -> Result<ExitCode> {
    setup::ensure(repo, Purpose::Test)?;
    let mut slot = test(repo, "tests", "console");
    slot.arg("a_slot_that_cannot_be_used");
    let mut commands = vec![test(repo, "exporter", "faults"), slot, test(repo, "tests", "panic_free")];
    match disks(repo) {
        Ok(command) => commands.push(command),
        Err(reason) => eprintln!("skipped: full and read-only disks: {reason}. Their table is unchanged."),
    }
    for command in &mut commands {
        if record {
            command.env("BLESS", "1");
        }
        run_command(command)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn test(repo: &Repo, package: &str, test: &str) -> Command {
    let mut cargo = repo.cargo();
    cargo.args(["test", "--package", package, "--test", test]);
    cargo
}

/// Returns the test with disks of its own, or the reason why it cannot run here.
pub fn disks(repo: &Repo) -> Result<Command, String> {
    let mut probe = Command::new("unshare");
    probe.args(["--map-root-user", "--mount", "--", "mount", "-t", "tmpfs", "none", "/tmp"]);
    if ask(&mut probe).is_none() {
        return Err("`unshare --map-root-user --mount` cannot mount a disk here".to_owned());
    }
    let mut cargo = test(repo, "exporter", "faults");
    cargo.args(["--", "--ignored", "disks::"]);
    Ok(cargo)
}
