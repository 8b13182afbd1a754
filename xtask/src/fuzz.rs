//! `cargo xtask fuzz`: feeds arbitrary bytes to everything that reads bytes, with cargo-fuzz, and prints a table of the
//! results.
//!
//! The targets are in `runtime/fuzz` and `exporter/fuzz`. Each target starts with the committed `seeds/` and
//! `regressions/`, and continues from its own `corpus/`, which is not committed.

pub mod coverage;
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use crate::command::{ask, run as run_command, show};
use crate::repo::Repo;
use crate::setup::cargo_tool;
use crate::subcommand::{Subcommand, usage};

use report::Row;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "fuzz",
    summary: Some("feed arbitrary bytes to the readers of models, word lists and state dicts"),
    help: "\
cargo xtask fuzz [--target load|generate|import|words] [--minutes N | --runs N] [--json]
  Feeds arbitrary bytes to the readers of models (load), word lists and state dicts, and to models
  at work (generate), with AddressSanitizer: 4 minutes, shared by the targets. Fails if a target
  crashes. Needs a nightly toolchain.
cargo xtask fuzz --minimize [--target NAME]
  Replaces the committed inputs by the smallest set with the same coverage.
cargo xtask fuzz --coverage [--json]
  Lists the lines of the loader that the committed inputs do not reach. Needs valgrind.
",
    run: |args| match parse(args)? {
        Work::Fuzz(options) => run(&Repo::find(), &options),
        Work::Coverage { json } => coverage::run(&Repo::find(), json),
    },
};

/// Version of cargo-fuzz.
const VERSION: &str = "0.13.2";

/// A fuzz target.
struct Target {
    name: &'static str,
    /// Folder of the target's package.
    package: &'static str,
    /// Longest input in bytes. Small models find as much as large ones, and run faster.
    longest: usize,
}

const TARGETS: [Target; 4] = [
    Target { name: "load", package: "runtime/fuzz", longest: 512 },
    Target { name: "generate", package: "runtime/fuzz", longest: 320 },
    Target { name: "import", package: "exporter/fuzz", longest: 600 },
    Target { name: "words", package: "exporter/fuzz", longest: 600 },
];

/// Work of a command line: fuzzing, or a coverage report.
#[derive(Debug, PartialEq)]
enum Work {
    Fuzz(Options),
    Coverage { json: bool },
}

/// Options of fuzzing.
#[derive(Debug, Clone, PartialEq)]
struct Options {
    /// Name of the target; `None` for all targets.
    target: Option<String>,
    /// Minutes in total, which the targets share.
    minutes: f64,
    /// Executions of each target, instead of minutes.
    runs: Option<u64>,
    /// Replaces the committed corpus by a small one.
    minimize: bool,
    /// Prints the table as JSON.
    json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { target: None, minutes: 4.0, runs: None, minimize: false, json: false }
    }
}

fn parse(mut args: lexopt::Parser) -> Result<Work> {
    let (mut options, mut minutes, mut coverage) = (Options::default(), None, false);
    while let Some(arg) = args.next()? {
        match arg {
            Long("target") => options.target = Some(args.value()?.string()?),
            Long("minutes") => minutes = Some(args.value()?.parse()?),
            Long("runs") => options.runs = Some(args.value()?.parse()?),
            Long("minimize") => options.minimize = true,
            Long("coverage") => coverage = true,
            Long("json") => options.json = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let limited = minutes.is_some() || options.runs.is_some();
    if coverage && (limited || options.minimize || options.target.is_some()) {
        return Err(usage("--coverage uses the committed inputs: it accepts only --json"));
    }
    if (minutes.is_some() && options.runs.is_some()) || (limited && options.minimize) {
        return Err(usage("--minutes, --runs and --minimize exclude each other: choose one"));
    }
    match minutes {
        Some(minutes) if !(0.0..=1e6).contains(&minutes) => {
            return Err(usage(format!("--minutes {minutes} is out of range: choose 0 to 1,000,000")));
        }
        minutes => options.minutes = minutes.unwrap_or(options.minutes),
    }
    Ok(if coverage { Work::Coverage { json: options.json } } else { Work::Fuzz(options) })
}

/// Fuzzes the targets. Fails if a target crashes, hangs or runs out of memory.
///
/// # Errors
/// Returns an error for an unknown target, or if the nightly toolchain or cargo-fuzz is missing and cannot be
/// installed.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let chosen = |target: &&Target| options.target.as_deref().is_none_or(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(chosen).collect();
    if targets.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("no target `{}`: choose one of {}", options.target.as_deref().unwrap_or_default(), names.join(", "));
    }
    need_nightly()?;
    let program = cargo_tool::ensure(repo, "fuzz", VERSION)?;
    let seconds = (options.minutes * 60.0 / targets.len() as f64).ceil() as u64;
    let mut rows = Vec::new();
    for target in targets {
        eprintln!("== {}", target.name);
        let fuzz = Fuzz { repo, program: &program, target };
        fuzz.build()?;
        rows.push(if options.minimize { fuzz.minimize()? } else { fuzz.fuzz(options.runs, seconds)? });
        eprintln!();
    }
    if options.json {
        println!("{}", report::json(&rows));
    } else {
        print!("{}", report::table(&rows));
    }
    let failed = rows.iter().any(|row| !row.crashes.is_empty());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Fails without a nightly compiler: only these have the options that fuzzers need.
fn need_nightly() -> Result<()> {
    if ask(Command::new("rustc").args(["+nightly", "--version"])).is_none() {
        bail!("fuzzers need a nightly toolchain: run `rustup toolchain install nightly`");
    }
    Ok(())
}

/// A run of one target.
struct Fuzz<'r> {
    repo: &'r Repo,
    program: &'r Path,
    target: &'r Target,
}

impl Fuzz<'_> {
    fn folder(&self, what: &str) -> PathBuf {
        self.repo.root().join(self.target.package).join(what).join(self.target.name)
    }

    /// Returns `cargo fuzz <command>` for the target, with the nightly toolchain.
    fn cargo_fuzz(&self, command: &str) -> Command {
        let mut cargo = Command::new(self.program);
        cargo.current_dir(self.repo.root().join(self.target.package));
        // Calls rustup's cargo, because this program was started by another toolchain.
        cargo.env("RUSTUP_TOOLCHAIN", "nightly").env_remove("CARGO").env_remove("RUSTC");
        // Traced comparisons would take two thirds of the time, and the mutators hardly use them.
        cargo.args(["fuzz", command, "--fuzz-dir", ".", "--no-trace-compares"]).arg(self.target.name);
        cargo
    }

    fn build(&self) -> Result<()> {
        for what in ["corpus", "artifacts"] {
            let folder = self.folder(what);
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        run_command(&mut self.cargo_fuzz("build"))
    }

    /// Returns the built program, with AddressSanitizer's expensive checks turned off: code without
    /// `unsafe` cannot use freed memory, and leaks are not searched for.
    fn program(&self) -> Command {
        let triple = ask(Command::new("rustc").args(["+nightly", "--print", "host-tuple"])).unwrap_or_default();
        let package = self.repo.root().join(self.target.package);
        let mut program = Command::new(package.join("target").join(triple).join("release").join(self.target.name));
        program.current_dir(package).env("ASAN_OPTIONS", "malloc_context_size=0:detect_stack_use_after_return=0");
        program.arg("-detect_leaks=0");
        program
    }

    /// Runs the target for a number of executions or seconds, and reads libFuzzer's log.
    fn fuzz(&self, runs: Option<u64>, seconds: u64) -> Result<Row> {
        let before = report::crashes(&self.folder("artifacts"))?;
        let mut program = self.program();
        let length = format!("-max_len={}", self.target.longest);
        program.args([&length, "-entropic=0", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
        program.arg(format!("-artifact_prefix=artifacts/{}/", self.target.name));
        program.arg(match runs {
            Some(runs) => format!("-runs={runs}"),
            None => format!("-max_total_time={seconds}"),
        });
        program.args(["corpus", "seeds", "regressions"].map(|what| Path::new(what).join(self.target.name)));
        eprintln!("$ {}", show(&program));
        let output =
            program.stdout(Stdio::null()).stderr(Stdio::piped()).output().context("cannot start the target")?;
        let log = String::from_utf8_lossy(&output.stderr);
        let mut row = report::parse(self.target.name, &log);
        row.crashes = report::crashes(&self.folder("artifacts"))?;
        row.crashes.retain(|crash| !before.contains(crash));
        if !output.status.success() {
            eprintln!("{}", report::end(&log));
            if row.crashes.is_empty() {
                bail!("`{}` ended with {} without saving an input", show(&program), output.status);
            }
        }
        for crash in &row.crashes {
            let input = self.repo.short(&self.folder("artifacts").join(crash));
            let again = format!("{} -detect_leaks=0", self.repo.short(Path::new(program.get_program())));
            eprintln!("CRASH: {input}");
            eprintln!("  rerun:     {again} {input}");
            eprintln!("  minimize:  {again} -minimize_crash=1 -max_total_time=60 {input}");
            eprintln!("  keep: copy the file to {}", self.repo.short(&self.folder("regressions")));
        }
        Ok(row)
    }

    /// Replaces the committed inputs by the smallest set that reaches every edge of the corpus and the committed
    /// inputs.
    fn minimize(&self) -> Result<Row> {
        let seeds = self.folder("seeds");
        let partial = seeds.with_extension("partial");
        std::fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
        let mut program = self.program();
        // Compares only edges: with counts of each edge, ten times as many inputs would remain.
        program.args(["-merge=1", "-use_counters=0", "-max_len=4096"]).arg(&partial);
        program.args(["corpus", "seeds", "regressions"].map(|what| Path::new(what).join(self.target.name)));
        run_command(program.stderr(Stdio::null()))?;
        std::fs::remove_dir_all(&seeds).with_context(|| format!("cannot remove {}", seeds.display()))?;
        std::fs::rename(&partial, &seeds).with_context(|| format!("cannot write {}", seeds.display()))?;
        self.fuzz(Some(0), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| parse(lexopt::Parser::from_args(args));
        let default = Options::default();
        assert_eq!(options(&[]).unwrap(), Work::Fuzz(default.clone()));
        let some = Options { target: Some("load".to_owned()), minutes: 0.5, json: true, ..default.clone() };
        assert_eq!(options(&["--target", "load", "--minutes=0.5", "--json"]).unwrap(), Work::Fuzz(some));
        assert_eq!(options(&["--runs=7"]).unwrap(), Work::Fuzz(Options { runs: Some(7), ..default }));
        assert_eq!(options(&["--coverage", "--json"]).unwrap(), Work::Coverage { json: true });
        for wrong in [
            &["--runs", "7", "--minutes", "1"][..],
            &["--minimize", "--runs", "7"],
            &["--coverage", "--target", "load"],
            &["--minutes", "-1"],
            &["--minutes", "NaN"],
            &["load"],
        ] {
            assert!(options(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_target_is_in_its_package_and_has_seeds() {
        let repo = Repo::find();
        for Target { name, package, .. } in &TARGETS {
            let package = repo.root().join(package);
            assert!(package.join("fuzz_targets").join(name).with_extension("rs").exists(), "{name}");
            let manifest = std::fs::read_to_string(package.join("Cargo.toml")).unwrap();
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            assert!(package.join("seeds").join(name).read_dir().unwrap().count() > 20, "{name}");
            assert!(package.join("regressions").join(name).exists(), "{name}");
        }
        for package in ["runtime/fuzz", "exporter/fuzz"] {
            let targets = repo.root().join(package).join("fuzz_targets").read_dir().unwrap().count();
            assert_eq!(targets, TARGETS.iter().filter(|target| target.package == package).count(), "{package}");
        }
    }
}
