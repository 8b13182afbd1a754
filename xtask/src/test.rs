//! `cargo xtask test`: everything that must hold before a change is kept.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::board::{self, BOARDS, Board};
use crate::command::show;
use crate::firmware::PRECISIONS;
use crate::reliability;
use crate::repo::Repo;
use crate::setup::{self, neon, thumb};

/// How a check is made.
enum Check {
    Run(Command),
    /// Not here, and why.
    Skip(String),
}

impl From<Command> for Check {
    fn from(command: Command) -> Self {
        Self::Run(command)
    }
}

/// How a check went.
#[derive(PartialEq)]
enum Verdict {
    Passed,
    Failed,
    Skipped(String),
}

/// A check, and how it went.
struct Outcome {
    name: String,
    verdict: Verdict,
    time: Duration,
}

/// The command.
pub fn run(repo: &Repo) -> Result<ExitCode> {
    setup::ensure(repo, setup::Purpose::Test)?;
    let start = Instant::now();
    let mut outcomes = Vec::new();
    for (name, check) in checks(repo) {
        println!("== {name}");
        let start = Instant::now();
        // All of them are made, whatever happens: one run shows all there is to mend.
        let verdict = match check {
            Check::Run(command) => made(command),
            Check::Skip(reason) => {
                println!("skipped: {reason}");
                Verdict::Skipped(reason)
            }
        };
        let time = start.elapsed();
        outcomes.push(Outcome { name, verdict, time });
        println!();
    }
    print!("{}", summary(&outcomes, start.elapsed()));
    let failed = outcomes.iter().any(|outcome| outcome.verdict == Verdict::Failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the command and runs it.
fn made(mut command: Command) -> Verdict {
    println!("$ {}", show(&command));
    match command.status() {
        Ok(status) if status.success() => Verdict::Passed,
        Ok(_) => Verdict::Failed,
        Err(error) => {
            println!("cannot start: {error}");
            Verdict::Failed
        }
    }
}

/// The checks, cheapest first.
fn checks(repo: &Repo) -> Vec<(String, Check)> {
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
    let mut checks: Vec<(String, Check)> = vec![("format".to_owned(), cargo(&["fmt", "--all", "--check"]).into())];
    for target in board::targets() {
        let name = format!("runtime alone on {target} (no_std)");
        checks.push((name, for_chip(repo.firmware_cargo(), "build", target, "runtime", &[]).into()));
    }
    for precision in PRECISIONS {
        // The core that can do least.
        let target = board::find("microbit").expect("a board").target;
        let name = format!("runtime with {precision} alone");
        let choice = ["--no-default-features", "--features", precision];
        checks.push((name, for_chip(repo.firmware_cargo(), "build", target, "runtime", &choice).into()));
    }
    // Debian's compiler comes without clippy, and the toolchain's cannot read its libraries.
    let debian = thumb::uses_debian(repo);
    for board @ Board { name, target, .. } in BOARDS {
        let for_board =
            |command: &str, rest: &[&str]| for_chip(board.cargo(repo), command, target, "firmware-example", rest);
        let features = format!("{name},{}", PRECISIONS.join(","));
        let choice = ["--no-default-features", "--features", &features];
        checks.push(if debian {
            (format!("firmware for {name} compiles"), for_board("check", &choice).into())
        } else {
            let rest = [&choice[..], &["--", "-Dwarnings"]].concat();
            (format!("lints of the firmware for {name}"), for_board("clippy", &rest).into())
        });
    }
    // Elsewhere the machine's vectors are at work. A folder of its own, or everything would be built anew for the next check.
    let mut portable = cargo(&["test", "--package", "runtime", "--target-dir", "target/portable"]);
    portable.env("RUSTFLAGS", "--cfg kernel=\"portable\"");
    let for_neon =
        |command: fn(&Repo) -> Command| neon::skipped(repo).map_or_else(|| Check::Run(command(repo)), Check::Skip);
    let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-Dwarnings");
    checks.extend([
        ("lints".to_owned(), cargo(&["clippy", "--workspace", "--all-targets", "--", "-Dwarnings"]).into()),
        ("documentation".to_owned(), doc.into()),
        ("the runtime's tests with the portable kernels".to_owned(), portable.into()),
        ("lints of the runtime with NEON".to_owned(), for_neon(neon_lints)),
        ("the runtime's tests with NEON, emulated".to_owned(), for_neon(neon_tests)),
        ("tests".to_owned(), cargo(&["test", "--workspace", "--no-fail-fast"]).into()),
        ("full and read-only disks".to_owned(), reliability::disks(repo).map_or_else(Check::Skip, Check::Run)),
    ]);
    checks
}

/// `cargo <command>` of the runtime for AArch64, in a folder of its own, as the portable kernels have one.
fn neon_cargo(repo: &Repo, command: &str) -> Command {
    let mut cargo = repo.cargo();
    cargo.args([command, "--package", "runtime", "--target", neon::TARGET, "--target-dir", "target/neon"]);
    cargo
}

/// The compiler for this machine does not even read these kernels.
fn neon_lints(repo: &Repo) -> Command {
    let mut cargo = neon_cargo(repo, "clippy");
    cargo.args(["--features", "std", "--", "-Dwarnings"]);
    cargo
}

/// The tests of the kernels, and those of whole models that have something of another machine to compare with: golden logits
/// and texts. The others test no more of NEON, and take minutes where every instruction is emulated.
const NEON_TESTS: [&str; 6] = ["host_kernels", "kernels", "batch", "gated", "generate", "shipped"];

/// `cargo test` for AArch64 with all that takes: without a C compiler, its programs started by QEMU.
fn neon_tests(repo: &Repo) -> Command {
    let mut cargo = neon_cargo(repo, "test");
    cargo.arg("--lib");
    for test in NEON_TESTS {
        cargo.args(["--test", test]);
    }
    // The parser among damaged blobs, and threads, are the same everywhere, and the longest of all.
    cargo.args(["--", "--skip", "every_flipped_bit", "--skip", "neither_threads"]);
    let variable = |what: &str| format!("CARGO_TARGET_{}_{what}", neon::TARGET.to_uppercase().replace('-', "_"));
    cargo.env(variable("LINKER"), neon::LINKER).env(variable("RUNNER"), neon::QEMU_USER.file(repo));
    // A test fails where this is not the unit that is tested.
    cargo.env("VECTOR_UNIT", "neon");
    cargo
}

/// The list at the end.
fn summary(outcomes: &[Outcome], total: Duration) -> String {
    let mut text = String::from("== summary\n");
    let (mut made, mut failed) = (0, 0);
    for Outcome { name, verdict, time } in outcomes {
        let time = time.as_secs_f64();
        text += &match verdict {
            Verdict::Passed => format!("passed   {time:6.1} s  {name}\n"),
            Verdict::Failed => format!("FAILED   {time:6.1} s  {name}\n"),
            Verdict::Skipped(reason) => format!("skipped            {name}: {reason}\n"),
        };
        made += usize::from(!matches!(verdict, Verdict::Skipped(_)));
        failed += usize::from(*verdict == Verdict::Failed);
    }
    let skipped = match outcomes.len() - made {
        0 => String::new(),
        skipped => format!(", {skipped} skipped"),
    };
    let total = total.as_secs_f64();
    text += &match failed {
        0 => format!("all {made} checks passed in {total:.0} s{skipped}\n"),
        failed => format!("{failed} of {made} checks FAILED in {total:.0} s{skipped}\n"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_lists_what_failed() {
        let outcome =
            |name: &str, verdict| Outcome { name: name.to_owned(), verdict, time: Duration::from_millis(1500) };
        let skipped = || outcome("c", Verdict::Skipped("no emulator".to_owned()));
        let all = [outcome("a", Verdict::Passed), outcome("b", Verdict::Failed), skipped()];
        let expected = "== summary\n\
                        passed      1.5 s  a\n\
                        FAILED      1.5 s  b\n\
                        skipped            c: no emulator\n\
                        1 of 2 checks FAILED in 3 s, 1 skipped\n";
        assert_eq!(summary(&all, Duration::from_secs(3)), expected);
        let text = summary(&[outcome("a", Verdict::Passed)], Duration::from_secs(2));
        assert!(text.ends_with("all 1 checks passed in 2 s\n"));
        let text = summary(&[outcome("a", Verdict::Passed), skipped()], Duration::from_secs(2));
        assert!(text.ends_with("all 1 checks passed in 2 s, 1 skipped\n"));
    }

    #[test]
    fn neon_is_tested_by_tests_that_are_there() {
        let repo = Repo::find();
        for test in NEON_TESTS {
            let tests = repo.root().join("runtime/tests");
            assert!(tests.join(test).with_extension("rs").exists() || tests.join(test).join("main.rs").exists());
        }
        let shown = show(&neon_tests(&repo));
        assert!(shown.contains("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld"), "{shown}");
        assert!(shown.contains("--test host_kernels"), "{shown}");
    }
}
