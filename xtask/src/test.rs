//! `cargo xtask test`: everything that must hold before a change is kept.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::command::show;
use crate::firmware::TARGET;
use crate::repo::Repo;
use crate::setup::{self, thumb};

/// A check, the command that makes it, and how it went.
struct Outcome {
    name: &'static str,
    passed: bool,
    time: Duration,
}

/// The command.
pub fn run(repo: &Repo) -> Result<ExitCode> {
    setup::ensure(repo)?;
    let start = Instant::now();
    let mut outcomes = Vec::new();
    for (name, mut command) in checks(repo) {
        println!("== {name}\n$ {}", show(&command));
        let start = Instant::now();
        // All of them are made, whatever happens: one run shows all there is to mend.
        let passed = match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                println!("cannot start: {error}");
                false
            }
        };
        let time = start.elapsed();
        outcomes.push(Outcome { name, passed, time });
        println!();
    }
    print!("{}", summary(&outcomes, start.elapsed()));
    Ok(if outcomes.iter().all(|outcome| outcome.passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The checks, cheapest first.
fn checks(repo: &Repo) -> Vec<(&'static str, Command)> {
    let cargo = |args: &[&str]| {
        let mut cargo = repo.cargo();
        cargo.args(args);
        cargo
    };
    let firmware_cargo = |args: &[&str]| {
        let mut cargo = repo.firmware_cargo();
        let (command, rest) = args.split_at(1);
        cargo.args(command).args(["--target", TARGET]).args(rest);
        cargo
    };
    let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-Dwarnings");
    vec![
        ("format", cargo(&["fmt", "--all", "--check"])),
        ("runtime alone on a chip (no_std)", firmware_cargo(&["build", "--package", "runtime"])),
        (
            "runtime alone, without its default features",
            firmware_cargo(&["build", "--package", "runtime", "--no-default-features"]),
        ),
        if thumb::uses_debian(repo) {
            // That compiler comes without clippy, and the toolchain's cannot read its libraries.
            ("firmware compiles", firmware_cargo(&["check", "--package", "firmware-example"]))
        } else {
            ("lints of the firmware", firmware_cargo(&["clippy", "--package", "firmware-example", "--", "-Dwarnings"]))
        },
        ("lints", cargo(&["clippy", "--workspace", "--all-targets", "--", "-Dwarnings"])),
        ("documentation", doc),
        ("tests", cargo(&["test", "--workspace", "--no-fail-fast"])),
    ]
}

/// The list at the end.
fn summary(outcomes: &[Outcome], total: Duration) -> String {
    let mut text = String::from("== summary\n");
    for Outcome { name, passed, time } in outcomes {
        let verdict = if *passed { "passed" } else { "FAILED" };
        text += &format!("{verdict}  {:6.1} s  {name}\n", time.as_secs_f64());
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let total = total.as_secs_f64();
    text += &match failed {
        0 => format!("all {} checks passed in {total:.0} s\n", outcomes.len()),
        failed => format!("{failed} of {} checks FAILED in {total:.0} s\n", outcomes.len()),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_lists_what_failed() {
        let outcome = |name, passed| Outcome { name, passed, time: Duration::from_millis(1500) };
        let text = summary(&[outcome("a", true), outcome("b", false)], Duration::from_secs(3));
        let expected = "== summary\n\
                        passed     1.5 s  a\n\
                        FAILED     1.5 s  b\n\
                        1 of 2 checks FAILED in 3 s\n";
        assert_eq!(text, expected);
        let text = summary(&[outcome("a", true)], Duration::from_secs(2));
        assert!(text.ends_with("all 1 checks passed in 2 s\n"));
    }
}
