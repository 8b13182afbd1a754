//! Tests that nothing is lost if a training is killed, interrupted or has no room on the disk.

#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Recipe with dropout, whose draws must be repeated. The best weights are kept, which may be from before the stop.
const COSINE: [&str; 10] =
    ["--preset", "tiny", "--steps", "600", "--dropout", "0.1", "--batch-size", "64", "--threads", "1"];
/// Recipe of the lecture: SGD, batches drawn with replacement, the last weights kept.
const LECTURE: [&str; 8] = ["--preset", "mlp-3", "--steps", "600", "--n-hidden", "20", "--threads", "1"];

/// Recipe with whole words instead of windows.
const WORDS: [&str; 8] = ["--preset", "tiny", "--form", "words", "--steps", "600", "--threads", "1"];

fn exporter(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn train(folder: &Path, arguments: &[&str]) -> Output {
    exporter(folder).args(["train", "--no-plots"]).args(arguments).output().expect("the program starts")
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = train(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    text(&output)
}

/// Starts a training and sends it `signal` after its first checkpoint; returns its exit code, if it has one.
fn stopped(folder: &Path, arguments: &[&str], signal: &str) -> Option<i32> {
    let mut child = exporter(folder)
        .args(["train", "--no-plots", "--run-dir", "run", "--checkpoint-every", "20"])
        .args(arguments)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let checkpoint = folder.join("run/checkpoint.safetensors");
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no checkpoint");
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args([OsStr::new(signal), OsStr::new(&id)]).status().unwrap().success());
    child.wait().unwrap().code()
}

fn bytes(folder: &Path, file: &str) -> Vec<u8> {
    fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the losses of all steps in a run's metrics.
fn losses(folder: &Path, run: &str) -> Vec<serde_json::Value> {
    let metrics = String::from_utf8(bytes(folder, &format!("{run}/metrics.jsonl"))).unwrap();
    let rows = metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    rows.filter(|row| row["kind"] == "loss").flat_map(|row| row["losses"].as_array().unwrap().clone()).collect()
}

#[test]
fn a_killed_training_goes_on_to_the_same_bytes() {
    for recipe in [&COSINE[..], &LECTURE, &[&WORDS[..], &["--dropout", "0.1", "--look-ahead", "0.5"]].concat()] {
        let folder = TempDir::new().unwrap();
        let here = folder.path();
        succeeds(here, &[recipe, &["--out", "whole.safetensors", "--run-dir", "whole"]].concat());
        assert_eq!(stopped(here, &[recipe, &["--out", "m.safetensors"]].concat(), "-KILL"), None, "killed");
        assert!(!here.join("m.safetensors").exists());
        // A kill in the middle of writing leaves such a file.
        fs::write(here.join("run/.exporter-abcdef.tmp"), "half").unwrap();
        let stderr = succeeds(here, &["--resume", "run"]);
        assert!(!here.join("run/.exporter-abcdef.tmp").exists());
        assert!(stderr.contains("600 steps, ") && stderr.contains("of them already done"), "{stderr}");
        assert_eq!(bytes(here, "m.safetensors"), bytes(here, "whole.safetensors"), "{recipe:?}");
        assert_eq!(bytes(here, "run/model.safetensors"), bytes(here, "whole.safetensors"));
        assert_eq!(losses(here, "run"), losses(here, "whole"), "{recipe:?}");
        assert_eq!(losses(here, "run").len(), 600);
        assert!(!here.join("run/checkpoint.safetensors").exists(), "it is done");
    }
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let recipe = [&COSINE[..], &["--out", "m.safetensors"]].concat();
    succeeds(here, &[&COSINE[..], &["--out", "whole.safetensors"]].concat());
    assert_eq!(stopped(here, &recipe, "-INT"), Some(130));
    // The interrupted training wrote its best model so far; the finished model replaces it.
    assert_ne!(bytes(here, "m.safetensors"), bytes(here, "whole.safetensors"));
    succeeds(here, &["--resume", "run"]);
    assert_eq!(bytes(here, "m.safetensors"), bytes(here, "whole.safetensors"));

    let refused = |arguments: &[&str], expected: &str| {
        let output = train(here, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
        assert!(text(&output).lines().last().unwrap().contains(expected), "{arguments:?}: {}", text(&output));
    };
    refused(&["--resume", "run"], "is finished: there is nothing to continue");
    refused(&["--resume", "missing"], "missing has no run to continue");
    refused(&[&recipe[..], &["--run-dir", "run"]].concat(), "already has a run");
    assert_eq!(train(here, &["--resume", "run", "--seed", "1"]).status.code(), Some(2), "settings come from the run");
}

#[test]
fn a_run_belongs_to_one_process() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let mut child = exporter(here)
        .args(["train", "--no-plots", "--preset", "tiny", "--steps", "1000000", "--threads", "1", "--run-dir", "run"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !here.join("run/config.json").exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = train(here, &["--resume", "run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text(&output).contains("another process is training in this folder"), "{}", text(&output));
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_training() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    fs::write(here.join("file"), "").unwrap();
    let refused = |output: Output, expected: &str| {
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(expected) && !text(&output).contains("drawn so far"), "{}", text(&output));
    };
    refused(train(here, &["--preset", "tiny", "--run-dir", "file/run"]), "file/run");
    // A limit on the size of files simulates a full disk.
    let program = env!("CARGO_BIN_EXE_exporter");
    let script = format!("trap '' XFSZ; ulimit -f 64; exec {program} train --preset tiny --run-dir run");
    let output = Command::new("bash").args(["-c", &script]).current_dir(here).output().unwrap();
    refused(output, "cannot write run: File too large");
    // A folder without write permission, which the superuser may write to nevertheless.
    let closed = here.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
    if fs::write(closed.join("probe"), "").is_err() {
        refused(train(here, &["--preset", "tiny", "--run-dir", "closed/run"]), "closed/run");
        refused(train(here, &["--preset", "tiny", "--out", "closed/m.safetensors"]), "closed/m.safetensors");
    }
}
