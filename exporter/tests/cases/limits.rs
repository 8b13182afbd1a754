//! Values of options beyond the limits of any machine.

use crate::common::workspace;
use crate::program::run_in;
use crate::table::row;

/// Runs a command that must fail before it does anything. Returns its error.
#[track_caller]
fn refused(arguments: &[&str], expected: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run_in(folder.path(), arguments);
    let line = outcome.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default().to_owned();
    // 1 if the command reads a list or a model first, 2 if clap finds the fault.
    assert!(matches!(outcome.code, Some(1 | 2)), "{arguments:?}: {:?} {}", outcome.code, outcome.stderr);
    for part in expected {
        assert!(line.contains(part), "{arguments:?}: {part:?} is not in: {}", outcome.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}: nothing is left");
    line
}

#[test]
fn threads_have_a_limit() {
    let model = workspace("models/tiny.safetensors");
    let model = model.to_str().unwrap();
    let expected = ["50000", "must be 1 to ", "on this machine"];
    let threads = ["--threads", "50000"];
    let line = refused(&[&["train", "--preset", "tiny"], &threads[..]].concat(), &expected);
    // The limit depends on the machine.
    let cut: String = line.chars().map(|c| if c.is_ascii_digit() { 'N' } else { c }).collect();
    row("--threads 50000", "train", &cut.replace("NNNNN", "50000").replace("NNN", "N").replace("NN", "N"));
    refused(&[&["sweep", "--preset", "tiny"], &threads[..]].concat(), &expected);
    refused(&["sweep", "--preset", "tiny", "--jobs", "50000"], &expected);
    refused(&[&["finetune", "--model", model, "--out", "t.safetensors"], &threads[..]].concat(), &expected);
    refused(&[&["bench", "--model", model], &threads[..]].concat(), &expected);
    refused(&[&["race"], &threads[..]].concat(), &expected);
    let expected = ["need 3600 threads, but this machine allows at most "];
    refused(&["sweep", "--preset", "tiny", "--jobs", "60", "--threads", "60"], &expected);
    refused(&["train", "--threads", "0"], &["--threads 0: must be 1 to "]);
    for wrong in ["-1", "x", "18446744073709551616"] {
        refused(&["train", &format!("--threads={wrong}")], &["--threads"]);
    }
}

#[test]
fn dimensions_and_lengths_have_limits() {
    let train =
        |option: &str, value: &str| refused(&["train", "--preset", "tiny", &format!("--{option}={value}")], &[]);
    for (option, values) in [
        ("batch-size", ["0", "18446744073709551615"]),
        ("block-size", ["0", "18446744073709551615"]),
        ("n-hidden", ["0", "18446744073709551615"]),
        ("n-embd", ["-5", "18446744073709551615"]),
        ("epochs", ["NaN", "inf"]),
        ("steps", ["0", "18446744073709551615"]),
        ("lr", ["NaN", "-1"]),
        ("dropout", ["NaN", "1"]),
        ("look-ahead", ["NaN", "-1"]),
        ("weight-decay", ["NaN", "inf"]),
        ("max-words", ["0", "18446744073709551615"]),
        ("max-characters", ["1", "256"]),
    ] {
        for value in values {
            let line = train(option, value);
            row(&format!("--{option} {value}"), "train", &line);
        }
    }
}

#[test]
fn memory_that_is_not_there_is_not_asked_for() {
    // Four million characters need more memory than today's machines have.
    let list = tempfile::NamedTempFile::new().unwrap();
    let text: String = (0..100_000).map(|index| format!("{index:a<40}\n")).collect();
    std::fs::write(list.path(), text).unwrap();
    let size = ["--batch-size", "1000000", "--n-hidden", "4096", "--n-embd", "1000"];
    let train = ["train", "--preset", "wavenet-128", "--data", list.path().to_str().unwrap()];
    let line = refused(&[&train[..], &size].concat(), &["GB", "--batch-size"]);
    let cut: String = line.chars().map(|c| if c.is_ascii_digit() { 'N' } else { c }).collect();
    row("a batch that does not fit the memory", "train", &cut);
}

#[test]
fn counts_of_words_have_limits() {
    let model = workspace("models/tiny.safetensors");
    let model = model.to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let none = run_in(folder.path(), &["sample", "--model", model, "-n", "0"]).succeeds();
    assert_eq!(none.stdout, "");
    for value in ["-1", "x", "18446744073709551616"] {
        refused(&["sample", "--model", model, &format!("--count={value}")], &["--count"]);
    }
    refused(&["sample", "--model", model, "--json", "-n", "18446744073709551615"], &["--json"]);
    refused(&["complete", "--model", model, "-n", "0", "a"], &["--count"]);
    refused(&["complete", "--model", model, "-n", "4294967295", "a"], &["--count"]);
    let tune = ["finetune", "--model", model, "--out", "t.safetensors"];
    for option in ["--batch-size=0", "--batch-size=18446744073709551615", "--epochs=NaN", "--lr=inf", "--epochs=-1"] {
        refused(&[&tune[..], &[option]].concat(), &["must be"]);
    }
}
