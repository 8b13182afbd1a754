//! Streams that cannot be written: a full disk, and a pipe whose reader has ended.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::common::workspace;
use crate::program::exporter;
use crate::table::row;

/// Stream of the program.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    Stdout,
    Stderr,
}

/// Fault of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Full disk: `> /dev/full`.
    Full,
    /// Closed pipe: `| head -1` after the end of `head`.
    Closed,
}

impl Fault {
    fn stream(self) -> Stdio {
        match self {
            Self::Full => OpenOptions::new().write(true).open("/dev/full").expect("Linux has it").into(),
            Self::Closed => {
                let (reader, writer) = io::pipe().expect("a pipe");
                drop(reader);
                writer.into()
            }
        }
    }
}

/// Destination of a command's result.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Result {
    /// Stdout.
    Stdout,
    /// Stderr, as a table.
    Table,
    /// Files with these names.
    Files(&'static [&'static str]),
    /// Files with these names, and stdout.
    Both(&'static [&'static str]),
}

/// Arguments of a training of about a second.
const TRAIN: &str = "train --data words.txt --preset tiny --steps 20 --threads 1 --run-dir run --out m.safetensors";

/// Files that a training writes.
const TRAINED: &[&str] = &["m.safetensors", "run/result.json", "run/model.safetensors"];

/// Returns the commands and the destinations of their results.
fn commands() -> Vec<(String, Result)> {
    let train = |options: &str| format!("{TRAIN} {options}");
    let list = [
        (train("--no-plots"), Result::Files(TRAINED)),
        (train("--no-plots --json"), Result::Both(TRAINED)),
        (
            "sweep --data words.txt --preset tiny --seeds 1 --set steps=10 --no-plots --jobs 1 --out sweep".to_owned(),
            Result::Both(&["sweep/results.csv", "sweep/results.jsonl"]),
        ),
        ("finetune --model tiny.safetensors --data words.txt --epochs 0.1 --out f.safetensors".to_owned(), {
            Result::Files(&["f.safetensors"])
        }),
        ("import --in net.safetensors --out i.safetensors".to_owned(), Result::Files(&["i.safetensors"])),
        ("export --model tiny.safetensors --out e.blob".to_owned(), Result::Files(&["e.blob"])),
        ("activations --model tiny.blob --word emma --out a.svg".to_owned(), Result::Files(&["a.svg"])),
        ("man --out pages".to_owned(), Result::Files(&["pages/exporter.1"])),
        ("eval --model tiny.blob --data words.txt".to_owned(), Result::Table),
        ("eval --model tiny.blob --data words.txt --json".to_owned(), Result::Stdout),
        ("validate --model tiny.safetensors --blob tiny.int8.blob --data words.txt".to_owned(), Result::Table),
        ("bench --model tiny.int8.blob --turns 1 --batch 2 --threads 1".to_owned(), Result::Table),
        ("bench --model tiny.int8.blob --turns 1 --batch 2 --threads 1 --json".to_owned(), Result::Stdout),
        ("sample --model tiny.blob -n 3".to_owned(), Result::Stdout),
        ("score --model tiny.blob emma olivia".to_owned(), Result::Stdout),
        ("complete --model tiny.blob em".to_owned(), Result::Stdout),
        ("inspect --model tiny.blob".to_owned(), Result::Stdout),
        ("presets".to_owned(), Result::Stdout),
        ("completions bash".to_owned(), Result::Stdout),
        ("man".to_owned(), Result::Stdout),
        ("--help".to_owned(), Result::Stdout),
        ("train --help".to_owned(), Result::Stdout),
    ];
    list.into()
}

/// Makes a folder with the inputs of all commands.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let words = ["emma", "olivia", "ava", "isabella", "sophia", "mia"].map(|word| format!("{word}\n")).concat();
    fs::write(folder.path().join("words.txt"), words.repeat(5)).unwrap();
    for name in ["tiny.safetensors", "tiny.blob", "tiny.int8.blob"] {
        fs::copy(workspace("models").join(name), folder.path().join(name)).unwrap();
    }
    fs::copy(workspace("tests/fixtures/pytorch/deep16.safetensors"), folder.path().join("net.safetensors")).unwrap();
    folder
}

fn run(here: &Path, arguments: &str, which: Which, fault: Fault) -> Output {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let mut command = exporter(&arguments);
    match which {
        Which::Stdout => command.stdout(fault.stream()),
        Which::Stderr => command.stderr(fault.stream()),
    };
    command.current_dir(here).output().expect("the program starts")
}

/// Returns the expected exit code, and whether an error must be written.
fn expected(result: Result, which: Which, fault: Fault) -> (i32, bool) {
    let is_lost = match result {
        Result::Stdout | Result::Both(_) => which == Which::Stdout,
        Result::Table => which == Which::Stderr,
        Result::Files(_) => false,
    };
    match fault {
        Fault::Full if is_lost => (1, which == Which::Stdout),
        _ => (0, false),
    }
}

/// Runs every command with a stream that cannot be written, and checks exit code, files and error.
fn try_all(which: Which) {
    for (arguments, result) in commands() {
        for fault in [Fault::Full, Fault::Closed] {
            let folder = folder();
            let output = run(folder.path(), &arguments, which, fault);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let (code, has_error) = expected(result, which, fault);
            let what = format!("{arguments}, {which:?} {fault:?}: {:?}\n{stderr}", output.status);
            assert_eq!(output.status.code(), Some(code), "{what}");
            assert!(!stderr.contains("panicked"), "{what}");
            assert_eq!(stderr.matches("error: ").count(), usize::from(has_error), "{what}");
            let files = match result {
                Result::Files(files) | Result::Both(files) => files,
                _ => &[],
            };
            for file in files {
                assert!(fs::metadata(folder.path().join(file)).is_ok_and(|file| file.len() > 0), "{file}: {what}");
            }
            let last = stderr.lines().last().unwrap_or_default();
            if has_error {
                assert!(last.contains("No space left on device"), "{what}");
                assert!(files.is_empty() || last.contains(files[0].split('/').next().unwrap()), "{what}");
            }
            let outcome = if has_error { last.to_owned() } else { format!("exit {code}") };
            let kept = if files.is_empty() { String::new() } else { format!("; written: {}", files.join(", ")) };
            let end = match fault {
                Fault::Full => "on a full disk",
                Fault::Closed => "into a closed pipe",
            };
            row(&format!("{which:?} {end}").to_lowercase(), &arguments, &(outcome + &kept));
        }
    }
}

#[test]
fn stdout_that_takes_nothing_ends_no_work() {
    try_all(Which::Stdout);
}

#[test]
fn stderr_that_takes_nothing_ends_no_work() {
    try_all(Which::Stderr);
}

#[test]
fn an_error_that_cannot_be_written_keeps_its_exit_code() {
    let folder = folder();
    for (arguments, code) in [("sample --model none.blob", 1), ("frobnicate", 2), ("train --steps many", 2)] {
        for fault in [Fault::Full, Fault::Closed] {
            let output = run(folder.path(), arguments, Which::Stderr, fault);
            assert_eq!(output.status.code(), Some(code), "{arguments}, {fault:?}");
        }
    }
    row("stderr on a full disk", "sample --model none.blob", "exit 1");
    row("stderr on a full disk", "frobnicate", "exit 2");
}

/// Writes stdout and stderr to one pipe, whose reader ends after two lines.
#[test]
fn a_reader_of_two_lines_does_not_end_a_training() {
    let folder = folder();
    let script = format!("{{ {} {TRAIN} --no-plots; echo $? > code; }} 2>&1 | head -2", env!("CARGO_BIN_EXE_exporter"));
    let output =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    assert_eq!(fs::read_to_string(folder.path().join("code")).unwrap().trim(), "0");
    assert!(File::open(folder.path().join("m.safetensors")).is_ok());
    row("2>&1 | head -2", "train", "exit 0, the model is written");
}
