//! `cargo xtask mutants`: checks whether the tests would notice wrong arithmetic.
//!
//! cargo-mutants changes one operator or one function of the runtime at a time and runs the runtime's tests. A mutant
//! survives if no test fails. `.cargo/mutants.toml` lists what is changed, and what is left out and why.

mod emulated;
mod score;

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::command::{run_for_output, show};
use crate::repo::Repo;
use crate::setup::cargo_tool;
use crate::subcommand::Subcommand;
use score::{Score, TARGET_PERCENT};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "mutants",
    summary: Some("change the runtime in one place at a time and check that its tests fail"),
    help: "\
cargo xtask mutants [--record] [OPTIONS]
  Changes the runtime in one place at a time, runs its tests, and prints the score of each area
  and the changes that no test noticed. OPTIONS go to cargo-mutants (--shard 0/9, --re quant,
  --jobs 2). Results of several runs add up, so the shortest way to all of them is
  `cargo xtask mutants --fast`, then `cargo xtask mutants --missed --record`.
    --fast      run only the tests of the format and of the kernels, which find most changes
    --missed    change only what was missed before, and run all tests
    --report    print the known results without running anything
    --record    write docs/trust/record/mutants.md
cargo xtask mutants --emulated [WORD ...]
  Checks the kernels for chips in QEMU, with the faults of tests/faults.toml. WORD selects faults by
  their description.
",
    run: |mut args| run(&Repo::find(), &Options::parse(args.raw_args()?)),
};

/// Version of cargo-mutants that these options and this output belong to.
const VERSION: &str = "27.1.0";

/// Tests for `--fast`: a quarter of the time of all tests, and most mutants fail them. Nothing else is built.
const FAST: [&str; 5] = [
    "--cargo-arg=--lib",
    "--cargo-arg=--test=format",
    "--cargo-arg=--test=format_integer",
    "--cargo-arg=--test=host_kernels",
    "--cargo-arg=--test=kernels",
];
/// All tests but the doctests. The examples are built, too, because a test starts them.
const ALL: [&str; 1] = ["--cargo-test-arg=--tests"];

/// Configuration of cargo-mutants, from the repository's top.
const CONFIG: &str = ".cargo/mutants.toml";
/// Report of the last run.
const OUTPUT: &str = "target/mutants.out/outcomes.json";
/// Results of all runs, so that shards add up.
const KNOWN: &str = "target/mutants.json";
/// Page with the figures.
const RECORD: &str = "docs/trust/record/mutants.md";

/// Options of the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Runs the tests that find most mutants.
    fast: bool,
    /// Tests only the mutants that earlier runs missed.
    missed: bool,
    /// Runs nothing and prints the known results.
    report: bool,
    /// Writes the figures to the repository.
    record: bool,
    /// Checks hand-made faults in the kernels for chips with `kerneltest` in QEMU.
    emulated: bool,
    /// Arguments for cargo-mutants.
    rest: Vec<OsString>,
}

impl Options {
    /// Reads our own options and leaves all others to cargo-mutants.
    fn parse(args: impl Iterator<Item = OsString>) -> Self {
        let mut options = Self::default();
        for arg in args {
            match arg.to_str() {
                Some("--fast") => options.fast = true,
                Some("--missed") => options.missed = true,
                Some("--report") => options.report = true,
                Some("--record") => options.record = true,
                Some("--emulated") => options.emulated = true,
                _ => options.rest.push(arg),
            }
        }
        options
    }
}

/// Runs cargo-mutants. Fails if an area's score is too low, or if a fault is not found.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    if options.emulated {
        return emulated::run(repo, &options.rest);
    }
    let mutants = Program(cargo_tool::ensure(repo, "mutants", VERSION)?);
    let known = repo.root().join(KNOWN);
    let mut score = fs::read_to_string(&known).map_or_else(|_| Ok(Score::default()), |text| Score::parse(&text))?;
    if !options.report {
        let mut rest = options.rest.clone();
        if options.missed {
            rest.extend(score.missed().map(|name| format!("--re={}", pattern_of(name)).into()));
            if rest.len() == options.rest.len() {
                bail!("no earlier run missed a mutant: run `cargo xtask mutants` without --missed");
            }
        }
        mutants.run(repo, if options.fast { &FAST } else { &ALL }, &rest)?;
    }
    if let Ok(text) = fs::read_to_string(repo.root().join(OUTPUT)) {
        score.add(&text).with_context(|| format!("cannot read {OUTPUT}"))?;
    }
    // A mutant whose name changed with its file counts as unknown.
    score.keep(&mutants.list(repo)?);
    fs::write(&known, score.to_text()).with_context(|| format!("cannot write {KNOWN}"))?;
    let text = score.text();
    println!("\n{text}");
    if options.record {
        let config = fs::read_to_string(repo.root().join(CONFIG)).with_context(|| format!("cannot read {CONFIG}"))?;
        fs::write(repo.root().join(RECORD), score.page(&config)).with_context(|| format!("cannot write {RECORD}"))?;
    }
    Ok(if score.passes() {
        ExitCode::SUCCESS
    } else {
        println!("the score of an area is below {TARGET_PERCENT} %: add tests for the missed mutants above");
        ExitCode::FAILURE
    })
}

/// Returns a regular expression for the mutant with this name: whatever is no letter and no digit is any character.
fn pattern_of(name: &str) -> String {
    format!("^{}$", name.replace(|c: char| !c.is_ascii_alphanumeric(), "."))
}

/// The installed cargo-mutants.
struct Program(std::path::PathBuf);

impl Program {
    /// Returns `cargo mutants --package runtime ...`.
    fn command(&self, repo: &Repo) -> Command {
        let mut command = Command::new(&self.0);
        command.current_dir(repo.root()).args(["mutants", "--package", "runtime"]);
        command
    }

    /// Builds mutants and runs these tests. Surviving mutants are no error here.
    fn run(&self, repo: &Repo, tests: &[&str], rest: &[OsString]) -> Result<()> {
        let mut command = self.command(repo);
        command.args(["--output", "target"]).args(tests).args(rest);
        println!("$ {}", show(&command));
        let status = command.status().context("cannot start cargo-mutants")?;
        match status.code() {
            // Exit statuses: all caught; some missed; some timed out.
            Some(0 | 2 | 3) => Ok(()),
            _ => bail!("cargo-mutants ended with {status}: see above, and target/mutants.out"),
        }
    }

    /// Returns the names of all mutants.
    fn list(&self, repo: &Repo) -> Result<Vec<String>> {
        let text = run_for_output(self.command(repo).arg("--list"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a pattern contains a line number, as in `block\.rs:76:62: replace` or `block\.rs:(76:62|80:3):
    /// replace`.
    fn has_a_line(pattern: &str) -> bool {
        let after_colons = pattern.split(':').skip(1);
        after_colons.map(|rest| rest.trim_start_matches('(')).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// Line numbers shift with any change of the file, so the exclusion would leave out another mutant.
    #[test]
    fn exclusions_have_functions_and_no_lines() {
        assert!(
            has_a_line(r"lanes16/block\.rs:76:62: replace") && has_a_line(r"(block\.rs:76|b\.rs:(384:35|440:36)): a")
        );
        assert!(!has_a_line(r"x86/avx(2|512)\.rs:.*replace < with <= in rows_i8$") && !has_a_line("in (int_)?tests::"));
        let text = fs::read_to_string(Repo::find().root().join(CONFIG)).unwrap();
        let config: toml::Table = toml::from_str(&text).unwrap();
        let exclusions = config["exclude_re"].as_array().unwrap();
        assert!(!exclusions.is_empty());
        for exclusion in exclusions {
            let pattern = exclusion.as_str().unwrap();
            assert!(
                !has_a_line(pattern),
                "{CONFIG}: `{pattern}` contains a line number: use the function's name instead"
            );
        }
    }

    #[test]
    fn options_of_ours_and_of_the_program() {
        let options = |args: &[&str]| Options::parse(args.iter().map(OsString::from));
        assert_eq!(options(&[]), Options::default());
        let some = options(&["--record", "--shard", "0/9", "--emulated"]);
        assert!(some.record && some.emulated && !some.report && !some.fast && !some.missed);
        assert_eq!(some.rest, ["--shard", "0/9"]);
        assert!(options(&["--fast"]).fast && options(&["--missed"]).missed);
    }

    #[test]
    fn a_pattern_has_no_signs_of_its_own() {
        let name = "runtime/src/quant.rs:41:9: replace + with - in <impl A for B>::f";
        assert_eq!(pattern_of(name), "^runtime.src.quant.rs.41.9..replace...with...in..impl.A.for.B...f$");
    }
}
