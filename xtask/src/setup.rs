//! `cargo xtask setup`: fetches what is missing, each piece only when needed.
//!
//! Every step can be interrupted. It works in a folder named `….partial`, which the next run deletes, and renames the
//! folder only when it is complete.

pub mod apt;
pub mod arm_gcc;
pub mod cargo_tool;
pub mod chromium;
mod config;
pub mod libtorch;
pub mod neon;
pub mod npm;
pub mod piece;
mod prerequisites;
pub mod program;
pub mod qemu;
pub mod table;
pub mod thumb;
pub mod typos;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::command::ask;
use crate::repo::Repo;
use crate::subcommand::{Subcommand, no_options};

use arm_gcc::ARM_GCC;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "setup",
    summary: Some("fetch what is missing: libtorch, the chips' targets, QEMU"),
    help: "\
cargo xtask setup

Fetches what is missing: libtorch, the chips' targets, QEMU. Files go into .tools/ where possible.
You can interrupt it at any time: the next run repeats the interrupted step.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// Purpose of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Building programs for chips and for browsers, with an existing model.
    Build,
    /// Running firmware in the emulator with an existing model.
    Emulate,
    /// Training, and running firmware in the emulator.
    Use,
    /// Everything, including what only the tests need.
    Test,
}

/// A step: its title and its function.
type Step = (&'static str, fn(&Repo) -> Result<()>);

/// Runs all steps, then prints the table of the pieces.
fn run(repo: &Repo) -> Result<ExitCode> {
    let done = steps(repo, Purpose::Test)?;
    println!();
    let complete = table::print(repo);
    Ok(if done && complete {
        println!("\nNext: cargo xtask demo");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Makes sure that everything for a purpose is set up. Other commands start with this call.
pub fn ensure(repo: &Repo, purpose: Purpose) -> Result<()> {
    if !steps(repo, purpose)? {
        println!();
        table::print(repo);
        bail!("set-up is not complete: solve the problem above, then run `cargo xtask setup`");
    }
    println!();
    Ok(())
}

/// Runs all steps, even after a failed one. Returns whether all steps succeeded.
fn steps(repo: &Repo, purpose: Purpose) -> Result<bool> {
    let tools = repo.tools();
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    // Two commands started at once must not unpack into the same folder. The lock is released when this process ends,
    // for whatever reason.
    let lock = File::create(tools.join("lock")).context("cannot create .tools/lock")?;
    if lock.try_lock().is_err() {
        println!("another set-up is running; waiting until it ends");
        lock.lock().context("cannot lock .tools/lock")?;
    }
    // Removes unfinished downloads of an interrupted run.
    remove(&tools.join("tmp"))?;

    // QEMU comes first: both may need the package lists, which its step refreshes.
    let mut steps: Vec<Step> = Vec::new();
    if ![Purpose::Build, Purpose::Emulate].contains(&purpose) {
        steps.push(("libtorch, for training", libtorch::setup));
    }
    if purpose != Purpose::Build {
        steps.push(("QEMU, the emulated chip", |repo| qemu::ARM.setup(repo)));
    }
    steps.push(("targets of the chips and of the browser page", thumb::setup));
    if purpose == Purpose::Test {
        steps.push(("QEMU for RISC-V, the other emulated chip", |repo| qemu::RISCV.setup(repo)));
        steps.push(("rp2040js, the emulated Pico", |repo| npm::EMULATOR.setup(repo)));
        steps.push(("packages of npm, for the checks of the page", |repo| npm::PAGE.setup(repo)));
        steps.push(("Chromium, for the tests of the page", chromium::setup));
        steps.push(("C for ARM, for the test of the C library", |repo| ARM_GCC.setup(repo)));
        steps.push(("AArch64, for the test of NEON", neon::setup));
        steps.push(("typos, for the test of the language", typos::setup));
    }
    let count = steps.len();
    let mut ok = true;
    for (number, (title, step)) in (1..).zip(steps) {
        println!("[{number}/{count}] {title}");
        if let Err(error) = step(repo) {
            ok = false;
            // Printed on stdout like the rest of the report, so that a log contains everything.
            say(&format!("FAILED: {error:#}"));
        }
    }
    config::write(repo)?;
    Ok(ok)
}

/// Prints one line under a step's title.
fn say(line: &str) {
    println!("      {}", indent(line));
}

fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n      ")
}

/// Removes a file, or a folder with its contents. Does nothing if the path does not exist.
fn remove(path: &Path) -> Result<()> {
    let result = match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    result.with_context(|| format!("cannot remove {}", path.display()))
}

/// Makes an empty folder at this path and removes anything that was there.
fn fresh(path: &Path) -> Result<()> {
    remove(path)?;
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Renames a finished `….partial` to its final name.
fn finish(partial: &Path, place: &Path) -> Result<()> {
    remove(place)?;
    fs::rename(partial, place).with_context(|| format!("cannot rename the finished folder to {}", place.display()))
}

/// Returns an error if the disk has too little space for a step. Does nothing if the free space is unknown.
fn need_space(folder: &Path, bytes: u64) -> Result<()> {
    let free = ask(Command::new("df").arg("-Pk").arg(folder)).and_then(|text| parse_df(&text));
    match free {
        Some(free) if free < bytes => {
            bail!("not enough space in {}: {} needed, {} free", folder.display(), size(bytes), size(free))
        }
        _ => Ok(()),
    }
}

/// Reads the free bytes from the output of `df -Pk`: a header, then `device blocks used free …` in KiB.
fn parse_df(text: &str) -> Option<u64> {
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib * 1024)
}

/// Formats a number of bytes in decimal units, as package managers do.
fn size(bytes: u64) -> String {
    if bytes >= 1_000_000_000 {
        format!("{:.1} GB", bytes as f64 / 1e9)
    } else if bytes >= 1_000_000 {
        format!("{} MB", bytes / 1_000_000)
    } else {
        format!("{} kB", bytes / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn df() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                    /dev/vda 263174212 12345678 83886080 13% /\n";
        assert_eq!(parse_df(text), Some(83_886_080 * 1024));
        assert_eq!(parse_df("nothing"), None);
    }

    #[test]
    fn sizes() {
        assert_eq!(size(1_900_000_000), "1.9 GB");
        assert_eq!(size(68_500_000), "68 MB");
        assert_eq!(size(4_200), "4 kB");
    }
}
