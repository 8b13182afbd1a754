//! Tests `sweep`: a finished training is not repeated, a stopped one is continued. The commands of `--plan` do the same
//! without `sweep`, and `--collect` counts each run once.

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

/// Folder with the characters that a shell would split or replace.
const AWKWARD: &str = "it's a $HOME `x` {} & (odd) \u{e9}/runs";

/// Returns the commands of a plan, which use the list `words.txt` in `folder`.
fn plan(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let common = ["sweep", "--plan", "--preset", "tiny", "--set", "steps=400", "--no-plots", "--data", "a list.txt"];
    let output = exporter(&[&common[..], arguments].concat(), folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[cfg(unix)]
fn shell(line: &str, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).stdin(Stdio::null());
    command
}

/// Writes the list of [`plan`].
fn write_list(folder: &Path) {
    let names = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/names.txt")).unwrap();
    let list: String = names.lines().take(2000).flat_map(|name| [name, "\n"]).collect();
    fs::write(folder.join("a list.txt"), list).unwrap();
}

/// Returns all files below a folder with their times of change.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push((entry.path(), entry.metadata().unwrap().modified().unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
#[cfg(unix)]
fn the_commands_of_a_plan_can_be_killed_and_repeated() {
    use std::os::unix::process::CommandExt;

    let folder = TempDir::new().unwrap();
    let here = folder.path();
    write_list(here);
    let lines = plan(here, &["--set", "lr=1e-2,3e-2", "--out", AWKWARD]);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains(" --threads=1 ") && lines[0].contains(" --continue"), "{lines:?}");
    assert_eq!(fs::read_dir(here).unwrap().count(), 1, "a plan makes no folder");

    let name = |lr: &str| here.join(AWKWARD).join(format!("tiny-steps=400-lr={lr}-seed42"));
    let whole = ["train", "--preset", "tiny", "--steps", "400", "--lr", "1e-2", "--threads", "1", "--no-plots"];
    let whole = exporter(&[&whole[..], &["--data", "a list.txt", "--out", "whole.safetensors"]].concat(), here);
    assert!(whole.status.success());
    fs::remove_dir_all(here.join("runs")).unwrap();

    // The first is killed, after a checkpoint.
    let frequent = format!("exec {} --checkpoint-every 5", lines[0]);
    let mut child = shell(&frequent, here).stderr(Stdio::null()).process_group(0).spawn().unwrap();
    while !name("1e-2").join("checkpoint.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    // A second process leaves the run to the first one.
    let second = shell(&lines[0], here).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert!(stderr.contains("another process is training in this folder"), "{stderr}");
    child.kill().unwrap();
    child.wait().unwrap();
    let unfinished = exporter(&["sweep", "--collect", "."], here);
    let (stdout, stderr) =
        (String::from_utf8(unfinished.stdout).unwrap(), String::from_utf8(unfinished.stderr).unwrap());
    assert!(stderr.contains("finished runs: 0; unfinished: 1") && stderr.contains(" of 400: "), "{stderr}");
    assert_eq!(stdout, "");

    for line in &lines {
        let output = shell(line, here).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        assert_eq!(stderr.contains("of them already done"), *line == lines[0], "{stderr}");
    }
    let model = name("1e-2").join("model.safetensors");
    assert_eq!(fs::read(model).unwrap(), fs::read(here.join("whole.safetensors")).unwrap());

    // A finished run is left as it is.
    let before = files(here);
    let output = shell(&format!("{} --json", lines[0]), here).output().unwrap();
    assert!(output.status.success());
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["seed"], 42);
    assert!(String::from_utf8(output.stderr).unwrap().contains("is finished"));
    assert_eq!(files(here), before);

    // `sweep` takes over the runs of a plan.
    let grid =
        ["sweep", "--preset=tiny", "--set=steps=400", "--set=lr=1e-2,3e-2", "--data=a list.txt", "--out", AWKWARD];
    let output = exporter(&grid, here);
    assert!(String::from_utf8(output.stderr).unwrap().contains("2 runs, 2 of them already finished"));

    // Folders are moved and copied; each run counts once.
    fs::create_dir_all(here.join("back/b")).unwrap();
    let copy = |from: &Path, to: &str| {
        fs::create_dir(here.join(to)).unwrap();
        for file in ["config.json", "result.json"] {
            fs::copy(from.join(file), here.join(to).join(file)).unwrap();
        }
    };
    copy(&name("1e-2"), "back/copy");
    fs::rename(name("3e-2"), here.join("back/b/renamed")).unwrap();
    let output = exporter(&["sweep", "--collect", AWKWARD, "back"], here);
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("finished runs: 2; unfinished: 0; copies that do not count: 1"), "{stderr}");
    assert_eq!(stdout.lines().filter(|line| line.contains("tiny-lr=0.0")).count(), 2, "{stdout}");
    assert!(!stdout.contains("+/-"), "{stdout}");

    // A damaged file is named, and the others are ranked.
    fs::write(here.join("back/b/renamed/result.json"), "{").unwrap();
    let output = exporter(&["sweep", "--collect", "back", "--json"], here);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("back/b/renamed/result.json: ") && stderr.contains("1 of the runs could not"), "{stderr}");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["lists"][0]["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_command_does_not_continue_another_run() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    write_list(here);
    let base = ["train", "--preset", "tiny", "--steps", "5", "--no-plots", "--run-dir", "r/x", "--continue"];
    let train = |arguments: &[&str]| exporter(&[&base[..], arguments].concat(), here);
    let output = train(&["--threads", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(here.join("r/x/model.safetensors").exists() && !here.join("model.safetensors").exists());
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let output = train(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    refused(&["--seed", "1"], 1, "r/x holds a run with other settings (--seed is 42 there and 1 here): choose");
    let other = ["--dropout", "0.5", "--split", "makemore"];
    refused(&other, 1, "(--dropout is not given there and 0.5 here, --split is lecture there and makemore here)");
    refused(&["--data", "a list.txt"], 1, "is not the list that the run in r/x started with");
    refused(&["--resume", "r/x"], 2, "cannot be used with");
    // The number of threads stays as it was.
    let output = train(&["--threads", "2"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.contains("keeps its number of threads: 1"), "{stderr}");
    // The network of this preset cannot be written as a model.
    let other = ["train", "--preset", "wavenet-68-bn-bug", "--steps=2", "--no-plots", "--run-dir=r/y", "--continue"];
    assert!(exporter(&other, here).status.success());
    assert!(exporter(&other, here).status.success());

    let sweep = |arguments: &[&str], code: i32, expected: &str| {
        let output = exporter(&[&["sweep"], arguments].concat(), here);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    sweep(&["--plan", "--preset", "tiny", "--jobs", "2"], 2, "cannot be used with");
    sweep(&["--plan", "--preset", "tiny", "--out", "a\nb"], 1, "has a line break");
    sweep(&["--plan", "--preset", "tiny", "--set", "batch-size=1"], 1, "--batch-size 1");
    sweep(&["--collect", "r", "--preset", "tiny"], 2, "cannot be used with");
    sweep(&["--collect", "missing"], 1, "missing: ");
    fs::create_dir(here.join("empty")).unwrap();
    sweep(&["--collect", "empty"], 1, "no run in empty");
}
