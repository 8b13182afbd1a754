//! `cargo xtask test`: everything that must hold before a change is kept.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::board::{self, BOARDS, Board};
use crate::command::show;
use crate::firmware::PRECISIONS;
use crate::repo::Repo;
use crate::setup::{self, thumb};

/// A check, the command that makes it, and how it went.
struct Outcome {
    name: String,
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
fn checks(repo: &Repo) -> Vec<(String, Command)> {
    let cargo = |args: &[&str]| {
        let mut cargo = repo.cargo();
        cargo.args(args);
        cargo
    };
    // `cargo <command> --target <target> --package <package> ...`, as the chip's compiler needs it.
    let for_chip = |mut cargo: Command, command: &str, target: &str, package: &str, rest: &[&str]| {
        cargo.args([command, "--target", target, "--package", package]).args(rest);
        cargo
    };
    let mut checks = vec![("format".to_owned(), cargo(&["fmt", "--all", "--check"]))];
    for target in board::targets() {
        let name = format!("runtime alone on {target} (no_std)");
        checks.push((name, for_chip(repo.firmware_cargo(), "build", target, "runtime", &[])));
    }
    for precision in PRECISIONS {
        // The core that can do least.
        let target = board::find("microbit").expect("a board").target;
        let name = format!("runtime with {precision} alone");
        let choice = ["--no-default-features", "--features", precision];
        checks.push((name, for_chip(repo.firmware_cargo(), "build", target, "runtime", &choice)));
    }
    // Debian's compiler comes without clippy, and the toolchain's cannot read its libraries.
    let debian = thumb::uses_debian(repo);
    for board @ Board { name, target, .. } in BOARDS {
        let for_board =
            |command: &str, rest: &[&str]| for_chip(board.cargo(repo), command, target, "firmware-example", rest);
        let features = format!("{name},{}", PRECISIONS.join(","));
        let choice = ["--no-default-features", "--features", &features];
        checks.push(if debian {
            (format!("firmware for {name} compiles"), for_board("check", &choice))
        } else {
            let rest = [&choice[..], &["--", "-Dwarnings"]].concat();
            (format!("lints of the firmware for {name}"), for_board("clippy", &rest))
        });
    }
    // Elsewhere the machine's vectors are at work. A folder of its own, or everything would be built anew for the next check.
    let mut portable = cargo(&["test", "--package", "runtime", "--target-dir", "target/portable"]);
    portable.env("RUSTFLAGS", "--cfg kernel=\"portable\"");
    let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-Dwarnings");
    checks.extend([
        ("lints".to_owned(), cargo(&["clippy", "--workspace", "--all-targets", "--", "-Dwarnings"])),
        ("documentation".to_owned(), doc),
        ("the runtime's tests with the portable kernels".to_owned(), portable),
        ("tests".to_owned(), cargo(&["test", "--workspace", "--no-fail-fast"])),
    ]);
    checks
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
        let outcome = |name: &str, passed| Outcome { name: name.to_owned(), passed, time: Duration::from_millis(1500) };
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
