//! The checks besides the test programs: formats, lints, documentation, builds without `std`, and other machines' kernels.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result};

use super::Scope;
use super::jobs::{Job, Work};
use super::package;
use super::packages::{self, Package};
use super::programs::{self, Program};
use crate::board::{self, BOARDS, Board};
use crate::examples::{self, EXAMPLES, Example};
use crate::firmware::PRECISIONS;
use crate::reliability;
use crate::repo::Repo;
use crate::setup::{neon, npm, qemu, thumb};

/// Folders of Cargo's, each locked by one command at a time. Other flags in the same folder would build everything again.
const HOST: &str = "target";
const LINTS_OF_CHIPS: &str = "target/lints";
const PORTABLE: &str = "target/portable";
const NEON: &str = "target/neon";
/// Folder of the fuzzers, which are packages outside the workspace.
const FUZZERS: &str = "target/fuzzers";

/// Tests of package `tests` that `--quick` runs: structure, language, tables, and the words of one emulated board.
const QUICK: [&str; 4] = ["tests floors", "tests language", "tests qemu_generate", "tests results"];
/// Tests of the other packages that `--quick` leaves out: every emulated board, and a training per fault.
const NOT_QUICK: [&str; 3] = ["exporter costs", "exporter faults", "exporter pages"];

/// Returns all jobs.
///
/// # Errors
/// Cargo cannot read the manifests.
pub fn all(repo: &Repo, scope: Scope) -> Result<Vec<Job<'_>>> {
    let mut jobs = quick(repo, scope)?;
    if scope == Scope::Full {
        jobs.extend(rest(repo)?);
    }
    Ok(jobs)
}

/// Returns the jobs of every scope.
fn quick(repo: &Repo, scope: Scope) -> Result<Vec<Job<'_>>> {
    let mut build = repo.cargo();
    build.args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    let programs = move |messages: &str| {
        let mut programs = programs::of_messages(messages)?;
        programs.retain(|Program { name, .. }| {
            let is_of_chips = name.starts_with("tests ");
            scope == Scope::Full
                || QUICK.contains(&name.as_str())
                || !(is_of_chips || NOT_QUICK.contains(&name.as_str()))
        });
        Ok(programs.iter().map(|program| program.job(repo)).collect())
    };
    let of_page = |name: &str, commands| Job { name: name.to_owned(), folder: None, work: Work::Commands(commands) };
    Ok(vec![
        Job { name: "build of the tests".to_owned(), folder: Some(HOST), work: Work::Then(build, Box::new(programs)) },
        job("format", HOST, cargo(repo, &["fmt", "--all", "--check"])),
        job("lints", HOST, cargo(repo, &["clippy", "--workspace", "--all-targets", "--", "-Dwarnings"])),
        of_page("types of the page", page_types(repo)?),
        of_page("lints of the page", vec![page_lints(repo)?]),
    ])
}

/// Checks the fuzzers. Only running them needs a nightly toolchain.
fn fuzzers(repo: &Repo) -> Vec<Command> {
    let check = |package: &str| {
        let manifest = format!("{package}/fuzz/Cargo.toml");
        cargo(repo, &["check", "--locked", "--target-dir", FUZZERS, "--manifest-path", &manifest])
    };
    ["runtime", "exporter"].map(check).into()
}

/// The TypeScript compiler, once for the code of the browser and once for the code of node. It compiles nothing.
fn page_types(repo: &Repo) -> Result<Vec<Command>> {
    let check = |project| {
        let mut tsc = npm::PAGE.node(repo)?;
        tsc.args(["node_modules/typescript/bin/tsc", "--project", project]).current_dir(npm::PAGE.path(repo));
        Ok(tsc)
    };
    [".", "tests"].into_iter().map(check).collect()
}

/// ESLint.
fn page_lints(repo: &Repo) -> Result<Command> {
    let mut eslint = npm::PAGE.node(repo)?;
    eslint.args(["node_modules/eslint/bin/eslint.js", "--max-warnings", "0", "."]).current_dir(npm::PAGE.path(repo));
    Ok(eslint)
}

/// Returns the jobs that only a full run has.
fn rest(repo: &Repo) -> Result<Vec<Job<'_>>> {
    let packages = packages::all(repo)?;
    let runtime = packages.iter().find(|package| package.name == "runtime").context("no package `runtime`")?;
    let mut portable = cargo(repo, &["test", "--package", "runtime", "--target-dir", PORTABLE]);
    portable.env("RUSTFLAGS", "--cfg kernel=\"portable\"");
    let for_neon = |command: fn(&Repo) -> Command| neon::skipped(repo).map_or_else(|| command(repo).into(), Work::Skip);
    let mut jobs = of_chips(repo, runtime)?;
    // The tests run these boards where they can.
    let lacking = board::emulated_by_newer().filter_map(|board| Some((board.name, qemu::lacks(repo, board)?)));
    jobs.extend(lacking.map(|(name, why)| job(&format!("the console on {name}, emulated"), HOST, Work::Skip(why))));
    jobs.extend([
        package::job(repo),
        Job { name: "the fuzzers compile".to_owned(), folder: Some(FUZZERS), work: Work::Commands(fuzzers(repo)) },
        job("examples in the documentation", HOST, cargo(repo, &["test", "--workspace", "--doc"])),
        job("lints of the runtime with each feature alone", HOST, lints_by_feature(repo, runtime)),
        job("documentation of each package by itself", HOST, docs(repo, &packages)),
        job("documentation of the runtime with each precision alone", HOST, docs_by_precision(repo)),
        job("the runtime's tests with the portable kernels", PORTABLE, portable),
        // Without this feature, Cargo leaves the test out.
        job(
            "logs of the runtime with defmt",
            HOST,
            cargo(repo, &["test", "-p", "runtime", "--features", "defmt", "--test", "defmt"]),
        ),
        job("lints of the runtime with NEON", NEON, for_neon(neon_lints)),
        job("the runtime's tests with NEON, emulated", NEON, for_neon(neon_tests)),
        job("full and read-only disks", HOST, reliability::disks(repo).map_or_else(Work::Skip, Work::from)),
    ]);
    Ok(jobs)
}

/// Returns the builds and lints for chips.
fn of_chips<'r>(repo: &'r Repo, runtime: &Package) -> Result<Vec<Job<'r>>> {
    // `cargo <command> --target <target> --package <package> ...`, as the chip's compiler needs it.
    let for_chip = |mut cargo: Command, command: &str, target: &str, package: &str, rest: &[&str]| {
        cargo.args([command, "--target-dir"]).arg(repo.root().join(LINTS_OF_CHIPS));
        cargo.args(["--target", target, "--package", package]).args(rest);
        cargo
    };
    let alone = |target| {
        let name = format!("runtime alone on {target} (no_std)");
        job(&name, LINTS_OF_CHIPS, for_chip(repo.firmware_cargo(), "build", target, "runtime", &[]))
    };
    let mut jobs: Vec<Job<'_>> = board::targets().into_iter().map(alone).collect();
    // The core that can do least.
    let least = board::find("microbit")?.target;
    let each_feature = feature_choices(runtime, Std::Missing).into_iter().map(|features| {
        let choice = ["--no-default-features", "--features", &features];
        for_chip(repo.firmware_cargo(), "build", least, "runtime", &choice)
    });
    let each_feature: Vec<Command> = each_feature.collect();
    let costs = for_chip(repo.firmware_cargo(), "build", least, "costs", &[]);
    jobs.push(job(&format!("costs on {least} (no_std)"), LINTS_OF_CHIPS, costs));
    jobs.push(job(&format!("runtime with each feature alone on {least}"), LINTS_OF_CHIPS, each_feature));
    // Debian's compiler comes without clippy, and the toolchain's cannot read its libraries.
    let debian = thumb::uses_debian(repo);
    let lints = ["--", "-Dwarnings"];
    let browser = for_chip(
        repo.firmware_cargo(),
        if debian { "build" } else { "clippy" },
        thumb::BROWSER,
        "web-engine",
        if debian { &[] } else { &lints },
    );
    jobs.push(job("the runtime's module for browsers", LINTS_OF_CHIPS, browser));
    // The console of some boards exists with and without USB.
    let without = BOARDS.iter().map(|board| (board, ""));
    let with_usb = BOARDS.iter().filter(|board| board.usb_console).map(|board| (board, ",usb"));
    jobs.extend(without.chain(with_usb).map(|(board, more)| {
        let Board { name, target, .. } = board;
        let for_board =
            |command: &str, rest: &[&str]| for_chip(board.cargo(repo), command, target, "firmware-example", rest);
        let features = format!("{name},{}{more}", PRECISIONS.join(","));
        let choice = ["--no-default-features", "--features", &features];
        let name = format!("{name}{}", more.replace(',', " with "));
        if debian {
            job(&format!("firmware for {name} compiles"), LINTS_OF_CHIPS, for_board("check", &choice))
        } else {
            let rest = [&choice[..], &["--", "-Dwarnings"]].concat();
            job(&format!("lints of the firmware for {name}"), LINTS_OF_CHIPS, for_board("clippy", &rest))
        }
    }));
    jobs.extend(EXAMPLES.iter().map(|example| of_example(repo, example, debian)));
    Ok(jobs)
}

/// Returns the format and lints of an example. The test `embassy` of package `tests` builds and runs it.
fn of_example<'r>(repo: &'r Repo, example: &Example, debian: bool) -> Job<'r> {
    let format = cargo(repo, &["fmt", "--check", "--manifest-path", &example.manifest()]);
    let check = if debian {
        example.cargo(repo, "check")
    } else {
        let mut clippy = example.cargo(repo, "clippy");
        clippy.args(["--", "-Dwarnings"]);
        clippy
    };
    job(&format!("format and lints of the example {}", example.name), examples::BUILDS, vec![format, check])
}

fn job<'r>(name: &str, folder: &'static str, work: impl Into<Work<'r>>) -> Job<'r> {
    Job { name: name.to_owned(), folder: Some(folder), work: work.into() }
}

impl From<Command> for Work<'_> {
    fn from(command: Command) -> Self {
        Self::Commands(vec![command])
    }
}

impl From<Vec<Command>> for Work<'_> {
    fn from(commands: Vec<Command>) -> Self {
        Self::Commands(commands)
    }
}

/// Cargo in the top folder.
fn cargo(repo: &Repo, args: &[&str]) -> Command {
    let mut cargo = repo.cargo();
    cargo.args(args);
    cargo
}

/// Clippy on this machine, once per feature of the runtime.
fn lints_by_feature(repo: &Repo, runtime: &Package) -> Vec<Command> {
    let clippy = |features: String| {
        let mut clippy = repo.cargo();
        clippy.args(["clippy", "--package", "runtime", "--no-default-features", "--features", &features]);
        clippy.args(["--", "-Dwarnings"]);
        clippy
    };
    feature_choices(runtime, Std::Present).into_iter().map(clippy).collect()
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
fn docs(repo: &Repo, packages: &[Package]) -> Vec<Command> {
    packages.iter().map(|package| doc(repo, &package.name, &[])).collect()
}

/// The documentation of the runtime, once per precision.
fn docs_by_precision(repo: &Repo) -> Vec<Command> {
    let choice = |precision| doc(repo, "runtime", &["--no-default-features", "--features", precision]);
    PRECISIONS.into_iter().map(choice).collect()
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
    cargo.args([command, "--package", "runtime", "--target", neon::TARGET, "--target-dir", NEON]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::show;

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
    fn every_project_of_the_page_is_checked() {
        let repo = Repo::find();
        // Without set-up there is nothing to start.
        let Ok(commands) = page_types(&repo) else { return };
        let shown: Vec<String> = commands.iter().map(show).collect();
        assert_eq!(shown[0], "(in web) node node_modules/typescript/bin/tsc --project .");
        for project in [".", "tests"] {
            assert!(npm::PAGE.path(&repo).join(project).join("tsconfig.json").exists(), "{project}");
            assert!(shown.iter().any(|command| command.ends_with(&format!(" {project}"))), "{shown:?}");
        }
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
