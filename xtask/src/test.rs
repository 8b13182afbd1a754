//! `cargo xtask test`: everything that must hold before a change is kept.

mod packages;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::board::{self, BOARDS, Board};
use crate::command::show;
use crate::firmware::PRECISIONS;
use crate::reliability;
use crate::repo::Repo;
use crate::setup::{self, neon, thumb};
use packages::Package;

/// How a check is made.
enum Check {
    Run(Command),
    /// Several commands; passes if all of them do.
    RunAll(Vec<Command>),
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
    for (name, check) in checks(repo)? {
        println!("== {name}");
        let start = Instant::now();
        // All of them are made, whatever happens: one run shows all there is to mend.
        let verdict = match check {
            Check::Run(command) => made(command),
            Check::RunAll(commands) => all_made(commands),
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

/// Runs every command, also after one that fails; at the end, prints those that failed.
fn all_made(commands: Vec<Command>) -> Verdict {
    let shown: Vec<String> = commands.iter().map(show).collect();
    let verdicts: Vec<Verdict> = commands.into_iter().map(made).collect();
    let failed = shown.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Failed);
    failed.for_each(|(command, _)| println!("failed: {command}"));
    if verdicts.contains(&Verdict::Failed) { Verdict::Failed } else { Verdict::Passed }
}

/// The checks, cheapest first.
///
/// # Errors
/// Cargo cannot read the manifests.
fn checks(repo: &Repo) -> Result<Vec<(String, Check)>> {
    let packages = packages::all(repo)?;
    let runtime = packages.iter().find(|package| package.name == "runtime").context("no package `runtime`")?;
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
    // The core that can do least.
    let least = board::find("microbit")?.target;
    let each_feature = feature_choices(runtime, Std::Missing).into_iter().map(|features| {
        let choice = ["--no-default-features", "--features", &features];
        for_chip(repo.firmware_cargo(), "build", least, "runtime", &choice)
    });
    checks.push((format!("runtime with each feature alone on {least}"), Check::RunAll(each_feature.collect())));
    // Debian's compiler comes without clippy, and the toolchain's cannot read its libraries.
    let debian = thumb::uses_debian(repo);
    for board @ Board { name, target, .. } in BOARDS.iter() {
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
    checks.extend([
        ("lints".to_owned(), cargo(&["clippy", "--workspace", "--all-targets", "--", "-Dwarnings"]).into()),
        ("lints of the runtime with each feature alone".to_owned(), lints_by_feature(repo, runtime)),
        ("documentation of each package by itself".to_owned(), docs(repo, &packages)),
        ("documentation of the runtime with each precision alone".to_owned(), docs_by_precision(repo)),
        ("the runtime's tests with the portable kernels".to_owned(), portable.into()),
        ("lints of the runtime with NEON".to_owned(), for_neon(neon_lints)),
        ("the runtime's tests with NEON, emulated".to_owned(), for_neon(neon_tests)),
        ("tests".to_owned(), cargo(&["test", "--workspace", "--no-fail-fast"]).into()),
        ("full and read-only disks".to_owned(), reliability::disks(repo).map_or_else(Check::Skip, Check::Run)),
    ]);
    Ok(checks)
}

/// Clippy on this machine, once per feature of the runtime.
fn lints_by_feature(repo: &Repo, runtime: &Package) -> Check {
    let clippy = |features: String| {
        let mut clippy = repo.cargo();
        clippy.args(["clippy", "--package", "runtime", "--no-default-features", "--features", &features]);
        clippy.args(["--", "-Dwarnings"]);
        clippy
    };
    Check::RunAll(feature_choices(runtime, Std::Present).into_iter().map(clippy).collect())
}

/// `cargo doc` of one package, with warnings denied.
///
/// Not `--workspace`: Cargo would enable in each package all features that any other package asks for, and links to items
/// of a feature that the package itself does not enable would resolve.
fn doc(repo: &Repo, package: &str, rest: &[&str]) -> Command {
    let mut doc = repo.cargo();
    doc.args(["doc", "--no-deps", "--package", package]).args(rest).env("RUSTDOCFLAGS", "-Dwarnings");
    doc
}

/// The documentation of each package with its default features.
fn docs(repo: &Repo, packages: &[Package]) -> Check {
    Check::RunAll(packages.iter().map(|package| doc(repo, &package.name, &[])).collect())
}

/// The documentation of the runtime, once per precision.
fn docs_by_precision(repo: &Repo) -> Check {
    let choice = |precision| doc(repo, "runtime", &["--no-default-features", "--features", precision]);
    Check::RunAll(PRECISIONS.into_iter().map(choice).collect())
}

/// Whether a target has the standard library.
#[derive(Clone, Copy, PartialEq)]
enum Std {
    Present,
    Missing,
}

/// Returns one value of `--features` per feature of the runtime: the feature alone, or with `int8` where it has no precision,
/// without which the runtime refuses to be compiled. Features that need the standard library are left out where it is missing.
fn feature_choices(runtime: &Package, std: Std) -> Vec<String> {
    let enabled = runtime.features().map(|feature| (feature, runtime.enabled_by(feature)));
    let possible = enabled.filter(|(_, enabled)| std == Std::Present || !enabled.contains("std"));
    let choice = |(feature, enabled): (&str, BTreeSet<&str>)| {
        let has_precision = PRECISIONS.iter().any(|precision| enabled.contains(precision));
        if has_precision { feature.to_owned() } else { format!("{feature},int8") }
    };
    possible.map(choice).collect()
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
    fn every_feature_of_the_runtime_is_chosen_once() {
        let packages = packages::all(&Repo::find()).unwrap();
        let runtime = packages.iter().find(|package| package.name == "runtime").unwrap();
        let host = feature_choices(runtime, Std::Present);
        assert_eq!(host.len(), runtime.features().count());
        for choice in ["f32", "int4", "dual16", "relu,int8", "alloc", "std"] {
            assert!(host.iter().any(|other| other == choice), "{choice}: {host:?}");
        }
        let chip = feature_choices(runtime, Std::Missing);
        assert!(chip.iter().any(|choice| choice == "alloc") && !chip.iter().any(|choice| choice.contains("std")));
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
