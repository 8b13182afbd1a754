//! `cargo xtask miri`: runs the runtime's tests in Miri, an interpreter that finds undefined behaviour and data races.
//!
//! Miri has no vector instructions, so the tests run with the portable kernels. Miri takes about a thousand times as
//! long as the compiled program, so long tests are left out: see `LEFT_OUT`.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::command::{ask, show};
use crate::repo::Repo;
use crate::subcommand::Subcommand;

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "miri",
    summary: Some("run the runtime's tests in Miri, which finds undefined behaviour"),
    help: "\
cargo xtask miri [OPTIONS] [-- NAME ...]

Runs the runtime's tests with the portable kernels in Miri. OPTIONS go to `cargo miri test` (for
instance --test format). NAME selects tests. Needs a nightly toolchain with the components miri and
rust-src.
",
    run: |mut args| run(&Repo::find(), &Options::parse(args.raw_args()?)),
};

/// Number of cases that proptest draws per property, instead of 256.
const CASES: &str = "2";

/// Test programs that Miri runs. The others check ranges of arithmetic, draw thousands of words or start programs.
const PROGRAMS: [&str; 4] = ["built_in", "format", "format_integer", "kernels"];

/// Tests that take more than 40 seconds in Miri: sweeps of arithmetic and of whole models. The names are function names
/// without modules, since modules move.
const LEFT_OUT: &[&str] = &[
    "a_million_draws_follow_the_softmax",
    "a_million_draws_tell_a_temperature_that_is_off_by_one_percent",
    "a_table_of_pairs",
    "any_bytes_into_the_loader",
    "bit_by_bit_is_a_division",
    "blocks_are_what_they_were",
    "changed_models_at_work",
    "changed_models_into_the_loader",
    "decodes_what_the_library_does",
    "dual16_i4",
    "dual16_i8",
    "error_is_within_the_bound",
    "error_is_within_the_bound_for_every_f32",
    "every_shape_equals_the_oracle_bit_by_bit",
    "every_way_gives_the_same",
    "every_width_and_many_shapes",
    "every_width_equals_the_oracle",
    "every_word_is_that_of_its_own_seed",
    "exp2_neg_is_within_its_bound",
    "extremes",
    "extremes_in_all_sign_patterns",
    "full_lanes",
    "gates",
    "integer_dots_equal_plain_sums",
    "invented_models_at_work",
    "lanes16_computes_as_many_columns_as_its_limit",
    "lanes16_i4",
    "lanes16_i8",
    "ln_is_within_its_bound",
    "matrices_are_the_same_bit_by_bit",
    "neither_threads_nor_the_rest_of_the_list_matter",
    "picks_the_one_that_holds_the_share",
    "probabilities_are_within_the_error_of_exp",
    "probabilities_are_within_the_stated_bound_above_temperature_1",
    "probabilities_are_within_the_stated_bound_up_to_temperature_1",
    "prompts_the_model_cannot_take_are_refused",
    "random_vectors",
    "random_vectors_equal_the_oracle",
    "reads_every_byte_as_serde_does",
    "requantize_by_halves",
    "rows_of_eight_bits_are_exact",
    "rows_of_four_bits_are_exact",
    "scores_are_within_60_micronats",
    "scores_are_within_the_stated_bound",
    "segments_lie_one_after_the_other",
    "sums_are_as_near_the_oracle_as_single_precision_can_be",
    "sums_must_stay_below_the_limit",
    "tanh_is_the_same_bit_by_bit",
    "the_corpus_of_the_generator",
    "the_corpus_of_the_loader",
    "the_form_of_the_weights_does_not_matter",
    "the_gate_is_the_definition",
    "the_gate_is_within_its_bound",
    "the_largest_are_kept_and_the_first_among_equals",
    "the_widest_logits_and_every_temperature_neither_overflow_nor_vanish",
    "tiles_are_rows_for_many",
    "vector128_computes_no_more_than_a_layer_has",
    "vector128_i4",
    "vector128_i8",
    "very_wide_layers",
];

/// Options of the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Arguments for `cargo miri test`: those before `--`.
    cargo: Vec<OsString>,
    /// Arguments for the tests: those after `--`.
    tests: Vec<OsString>,
}

impl Options {
    /// Splits the arguments at the first `--`.
    fn parse(args: impl Iterator<Item = OsString>) -> Self {
        let mut cargo: Vec<OsString> = args.collect();
        let at = cargo.iter().position(|arg| arg == "--").unwrap_or(cargo.len());
        let tests = cargo.split_off(at).into_iter().skip(1).collect();
        Self { cargo, tests }
    }

    /// Returns the names of the tests to leave out. A test that the command line names is not left out.
    fn left_out(&self) -> impl Iterator<Item = &'static str> {
        let asked_for = |name: &&str| self.tests.iter().filter_map(|arg| arg.to_str()).any(|arg| name.contains(arg));
        LEFT_OUT.iter().copied().filter(move |name| !asked_for(name))
    }
}

/// Runs the tests. Fails if a test fails or Miri finds undefined behaviour.
///
/// # Errors
/// Returns an error if there is no nightly toolchain, or if it has no Miri.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    ensure_component()?;
    let mut command = command(repo, options);
    eprintln!("$ {}", show(&command));
    let status = command.status().context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns an error if the nightly toolchain lacks Miri, or the standard library's sources, which Miri compiles.
fn ensure_component() -> Result<()> {
    let has_miri = ask(select_nightly(Command::new("cargo").args(["miri", "--version"]))).is_some();
    let sysroot = ask(Command::new("rustc").args(["+nightly", "--print", "sysroot"])).unwrap_or_default();
    let has_sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file();
    if !has_miri || !has_sources {
        bail!("the nightly toolchain has no Miri: run `rustup component add --toolchain nightly miri rust-src`");
    }
    Ok(())
}

/// Returns `cargo miri test` of the runtime.
fn command(repo: &Repo, options: &Options) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repo.root());
    select_nightly(&mut cargo);
    cargo.env("RUSTFLAGS", "--cfg kernel=\"portable\"");
    // Isolation is disabled because tests read models from files.
    let own = std::env::var_os("MIRIFLAGS").unwrap_or_default();
    let flags = [OsStr::new("-Zmiri-disable-isolation"), &own].join(OsStr::new(" "));
    cargo.env("MIRIFLAGS", flags);
    cargo.env("PROPTEST_CASES", std::env::var_os("PROPTEST_CASES").unwrap_or_else(|| CASES.into()));
    // A separate folder keeps the next check from rebuilding everything.
    cargo.args(["miri", "test", "--package", "runtime", "--features", "std", "--target-dir", "target/miri"]);
    if options.cargo.is_empty() {
        cargo.arg("--lib");
        cargo.args(PROGRAMS.iter().flat_map(|program| ["--test", program]));
    }
    cargo.args(&options.cargo);
    cargo.arg("--").args(&options.tests);
    for name in options.left_out() {
        cargo.args(["--skip", name]);
    }
    cargo
}

/// Makes a command use the nightly toolchain, whatever toolchain started this program.
fn select_nightly(command: &mut Command) -> &mut Command {
    command.env("RUSTUP_TOOLCHAIN", "nightly").env_remove("CARGO").env_remove("RUSTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        Options::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_divided() {
        let options = options(&["--test", "format", "--", "every"]);
        assert_eq!((options.cargo.len(), options.tests.len()), (2, 1));
        assert_eq!(self::options(&[]), Options::default());
    }

    #[test]
    fn tests_that_are_left_out_exist() {
        let repo = Repo::find();
        let mut grep = Command::new("git");
        grep.current_dir(repo.root().join("runtime")).args(["grep", "-h", "-o", "-E", "fn [a-z0-9_]+\\("]);
        let sources = ask(&mut grep).expect("the sources");
        for name in LEFT_OUT {
            assert!(sources.lines().any(|line| line == format!("fn {name}(")), "there is no test `{name}`");
        }
        for program in PROGRAMS {
            let tests = repo.root().join("runtime/tests").join(program);
            assert!(tests.with_extension("rs").exists() || tests.join("main.rs").exists(), "{program}");
        }
    }

    #[test]
    fn a_test_that_is_asked_for_runs() {
        assert!(options(&[]).left_out().any(|name| name == LEFT_OUT[0]));
        assert!(!options(&["--", LEFT_OUT[0]]).left_out().any(|name| name == LEFT_OUT[0]));
    }
}
