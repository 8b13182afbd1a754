//! Tests `sweep`: a finished training is not repeated, a stopped one is continued.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

fn exporter(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

const SWEEP: [&str; 13] = [
    "sweep",
    "--preset",
    "tiny",
    "--set",
    "steps=200",
    "--set",
    "lr=1e-2,3e-2",
    "--out",
    "runs",
    "--threads",
    "1",
    "--jobs=2",
    "--no-plots",
];

#[test]
fn a_grid_is_trained_once() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let run = |seeds: &str| {
        let output = exporter(&[&SWEEP[..], &["--seeds", seeds]].concat(), here);
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{stderr}");
        (stdout, stderr)
    };
    // One run of the grid was started before and killed.
    let name = "runs/tiny-steps=200-lr=3e-2-seed42";
    let begun = ["train", "--preset", "tiny", "--steps", "200", "--lr", "3e-2", "--threads", "1", "--no-plots"];
    let whole = exporter(&[&begun[..], &["--out", "whole.safetensors"]].concat(), here);
    assert!(whole.status.success());
    let out = format!("{name}/model.safetensors");
    fs::create_dir_all(here.join(name)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(begun)
        .args(["--run-dir", name, "--out", &out, "--checkpoint-every", "5"])
        .current_dir(here)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !here.join(name).join("checkpoint.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let (table, progress) = run("1");
    assert!(progress.contains("2 runs, 0 of them already finished"), "{progress}");
    assert!(progress.contains("tiny-steps=200-lr=3e-2-seed42: continues"), "{progress}");
    assert_eq!(fs::read(here.join(out)).unwrap(), fs::read(here.join("whole.safetensors")).unwrap());
    assert_eq!(table.lines().filter(|line| line.contains("tiny-steps=200-lr=")).count(), 2, "{table}");

    // Half of a larger grid is finished.
    let (table, progress) = run("2");
    assert!(progress.contains("4 runs, 2 of them already finished"), "{progress}");
    assert_eq!(table.matches("+/-").count(), 2 * 3, "{table}");
    let rows = |file: &str| fs::read_to_string(here.join("runs").join(file)).unwrap().lines().count();
    assert_eq!((rows("results.jsonl"), rows("results.csv")), (4, 5));
    // All of the grid is finished; a lost file of results is written again.
    fs::remove_file(here.join("runs/results.jsonl")).unwrap();
    let (again, progress) = run("2");
    assert!(progress.contains("4 runs, 4 of them already finished"), "{progress}");
    assert_eq!(again, table);
    assert_eq!(rows("results.jsonl"), 4);
}

#[test]
fn a_grid_that_makes_no_sense_is_refused_before_anything_is_trained() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let output = exporter(&[&["sweep", "--out", "runs"], arguments].concat(), here);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    refused(&[], 2, "--preset");
    refused(&["--preset", "tiny", "--set", "out=1"], 2, "must be one of lr, batch-size");
    refused(&["--preset", "tiny", "--set", "batch-size=64,1"], 1, "tiny-batch-size=1-seed42: --batch-size 1");
    refused(&["--preset", "mlp-3", "--set", "weight-decay=0.1"], 1, "--weight-decay is a setting of AdamW");
    assert_eq!(fs::read_dir(here.join("runs")).unwrap().count(), 0);
}

#[test]
fn a_run_that_diverges_does_not_stop_the_others() {
    let folder = TempDir::new().unwrap();
    let grid =
        ["sweep", "--preset", "tiny", "--set", "steps=20", "--set", "lr=1e30,1e-2", "--threads", "1", "--no-plots"];
    let output = exporter(&grid, folder.path());
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stdout.contains("  1. tiny-steps=20-lr=1e-2"), "{stdout}");
    assert!(stderr.contains("lr=1e30-seed42: the training diverged (loss NaN"), "{stderr}");
    assert!(stderr.contains("1 of 2 runs failed: tiny-steps=20-lr=1e30-seed42"), "{stderr}");
}
