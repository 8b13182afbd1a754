//! Runs that continue in another folder, or with a changed list.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Outcome, exporter, run_in};
use crate::table::row;

const TRAIN: [&str; 15] = [
    "train",
    "--no-plots",
    "--preset",
    "tiny",
    "--steps",
    "3000",
    "--threads",
    "1",
    "--data",
    "words.txt",
    "--run-dir",
    "runs/a",
    "--checkpoint-every",
    "20",
    "--quiet",
];

/// Makes `words.txt` and the run `runs/a` of a training that was killed after its first checkpoint.
fn killed(folder: &Path) {
    let words: Vec<&str> = exporter::data::SHIPPED_WORDS.lines().take(300).collect();
    std::fs::write(folder.join("words.txt"), words.join("\n")).unwrap();
    let arguments = [&TRAIN[..], &["--out", "m.safetensors"]].concat();
    let mut child = exporter(&arguments).current_dir(folder).stderr(Stdio::null()).spawn().unwrap();
    let checkpoint = folder.join("runs/a/checkpoint.safetensors");
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no checkpoint");
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn resume(folder: &Path, more: &[&str]) -> Outcome {
    run_in(folder, &[&["train", "--no-plots", "--resume", "runs/a"], more].concat())
}

fn copied(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Returns the last line of stderr without the path of the folder.
fn without_folder(outcome: &Outcome, folder: &Path) -> String {
    outcome.last().replace(&format!("{}/", folder.canonicalize().unwrap().display()), "")
}

/// Changes the settings in the run's folder.
fn change_config(here: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = here.join("runs/a/config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(&path, config.to_string()).unwrap();
}

#[test]
fn a_changed_list_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    killed(here);
    copied(&here.join("words.txt"), &here.join("copy.txt"));
    std::fs::write(here.join("words.txt"), "anna\nemma\n".repeat(20)).unwrap();
    let outcome = resume(here, &[]).fails(&["words.txt has changed since the run in runs/a started", "--data FILE"]);
    let cut = without_folder(&outcome, here);
    assert!(cut.len() < 250 && outcome.stderr.lines().count() < 6, "{}", outcome.stderr);
    row("a run whose list has changed", "train --resume", &cut);
    let outcome = resume(here, &["--data", "words.txt"])
        .fails(&["words.txt is not the list that the run in runs/a started with"]);
    row("a run and another list", "train --resume --data", outcome.last());
    assert!(here.join("runs/a/checkpoint.safetensors").exists(), "nothing is lost");
    resume(here, &["--data", "copy.txt"]).succeeds();
    assert!(here.join("m.safetensors").exists());
}

#[test]
fn a_list_that_was_moved_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    killed(here);
    std::fs::rename(here.join("words.txt"), here.join("moved.txt")).unwrap();
    let outcome = resume(here, &[])
        .fails(&["the run in runs/a needs its list, which is not at ", "words.txt: name it with --data"]);
    let cut = without_folder(&outcome, here);
    row("a run whose list was moved", "train --resume", &cut);
    resume(here, &["--data", "moved.txt"]).succeeds();
}

#[test]
fn a_folder_that_was_moved_goes_on() {
    let parent = tempfile::tempdir().unwrap();
    let old = parent.path().join("old");
    std::fs::create_dir(&old).unwrap();
    killed(&old);
    // Copies everything: the run reads the copied list, and writes its model to the new folder.
    let new = parent.path().join("new");
    copied(&old, &new);
    let outcome = resume(&new, &[]).succeeds();
    assert!(new.join("m.safetensors").exists() && !old.join("m.safetensors").exists(), "{}", outcome.stderr);
    row("a run, its list and its model moved together", "train --resume", "goes on with the files in the new place");
    // Moves everything, and starts in a folder of it.
    let moved = parent.path().join("moved");
    std::fs::rename(&old, &moved).unwrap();
    copied(&moved, &parent.path().join("kept"));
    run_in(&moved.join("runs"), &["train", "--no-plots", "--resume", "a"]).succeeds();
    assert!(moved.join("m.safetensors").exists());
    // Moves only the run: list and model keep their places.
    let kept = parent.path().join("kept");
    let elsewhere = parent.path().join("deep/er/still");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::rename(&kept, &old).unwrap();
    std::fs::rename(old.join("runs/a"), elsewhere.join("a")).unwrap();
    let outcome = run_in(&elsewhere, &["train", "--no-plots", "--resume", "a"]).succeeds();
    assert!(old.join("m.safetensors").exists(), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the run was moved: it will write its model to "), "{}", outcome.stderr);
}

#[test]
fn a_run_of_an_earlier_version_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    killed(here);
    change_config(here, |config| {
        config["data"] = here.join("words.txt").to_str().unwrap().into();
        config["out"] = here.join("m.safetensors").to_str().unwrap().into();
        config.as_object_mut().unwrap().remove("max_characters");
    });
    resume(here, &[]).succeeds();
    assert!(here.join("m.safetensors").exists());
}

#[test]
fn other_settings_are_named_by_their_options() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    killed(here);
    change_config(here, |config| {
        config["settings"]["seed"] = 7.into();
        config["settings"]["batch_size"] = 32.into();
    });
    let expected = "the checkpoint belongs to a training with other settings: --batch-size is 256 in the checkpoint and \
                    32 here, --seed is 42 in the checkpoint and 7 here";
    let outcome = resume(here, &[]).fails(&[expected]);
    row("a run whose settings were changed", "train --resume", outcome.last());
}
