//! Tests with disks that are full or read-only: small disks, mounted in a mount namespace.
//!
//! Many systems allow mount namespaces without the superuser. `cargo xtask test` runs these tests if this system does,
//! and says so if it does not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use exporter::train::run::RunFolder;
use exporter::train::run::metrics::{self, Row};
use tempfile::TempDir;
use tests::assert_section;

use super::seen::{Case, exporter, files, killed_training, losses, model, said, table};

/// Environment variable of the test's second start, inside the namespace.
const INSIDE: &str = "EXPORTER_TEST_IN_MOUNT_NAMESPACE";

/// Mounts a disk at `disk/`, for as long as this namespace lives.
fn mount(here: &Path, options: &str) {
    let disk = here.join("disk");
    fs::create_dir_all(&disk).unwrap();
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&disk).status().unwrap();
    assert!(status.success(), "mount -o {options}");
}

fn unmount(here: &Path) {
    assert!(Command::new("umount").arg(here.join("disk")).status().unwrap().success());
}

/// Mounts a disk with a model and an earlier blob.
fn disk_with_models(here: &Path, options: &str) {
    mount(here, options);
    fs::write(here.join("disk/m.safetensors"), model("tiny.safetensors")).unwrap();
    fs::write(here.join("disk/m.blob"), b"earlier").unwrap();
}

/// Fills the disk.
fn fill(here: &Path) {
    let mut filler = fs::File::create(here.join("disk/filler")).unwrap();
    let full = std::io::copy(&mut std::io::repeat(1), &mut filler).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

fn cases() -> Vec<Case> {
    const EXPORT: &str = "export --model disk/m.safetensors --out disk/m.blob";
    const TRAIN: &str = "train --preset tiny --steps 60 --threads 1 --run-dir disk/run --out disk/m.safetensors";
    const RESUME: &str = "train --resume disk/run --no-plots";
    vec![
        Case::new("the disk is full", EXPORT, |here| {
            disk_with_models(here, "size=1m");
            fill(here);
        }),
        Case::new("the disk has no room for a run", TRAIN, |here| disk_with_models(here, "size=1m")),
        Case::new("the disk cannot be written to", EXPORT, |here| {
            disk_with_models(here, "size=1m");
            mount(here, "remount,ro");
        }),
        Case::new("the disk cannot be written to by a training", TRAIN, |here| {
            disk_with_models(here, "size=1m");
            mount(here, "remount,ro");
        }),
        Case::new("the disk has filled up since the training began", RESUME, |here| {
            mount(here, "size=16m");
            killed_training(here, "disk/run");
            fill(here);
        }),
    ]
}

/// Tests a training whose disk fills up: it goes on and keeps its last checkpoint. When there is room again, it is
/// continued from there, to the same bytes.
fn becomes_full(here: &Path) {
    mount(here, "size=16m");
    let train = "train --preset tiny --steps 1500 --threads 1 --no-plots";
    let whole = exporter(here, &format!("{train} --run-dir whole --out whole.safetensors")).output().unwrap();
    assert!(whole.status.success(), "{}", said(&whole));
    let mut command = exporter(here, &format!("{train} --run-dir disk/run --out disk/m.safetensors"));
    let mut child = command.args(["--checkpoint-every", "50"]).stderr(Stdio::piped()).spawn().unwrap();
    while !here.join("disk/run/checkpoint.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        sleep(Duration::from_millis(2));
    }
    // Fills the disk again and again, since a replaced checkpoint frees room.
    while child.try_wait().unwrap().is_none() {
        let mut filler = fs::OpenOptions::new().create(true).append(true).open(here.join("disk/filler")).unwrap();
        let _full = std::io::copy(&mut std::io::repeat(1), &mut filler);
        sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("no checkpoint: cannot write disk/run/checkpoint.safetensors: No space left on device"),
        "{said}"
    );
    assert!(
        said.lines().last().unwrap().starts_with("error: cannot write disk/m.safetensors: No space left"),
        "{said}"
    );
    assert!(!files(here).keys().any(|name| name.ends_with(".tmp") || name == "disk/m.safetensors"));
    fs::remove_file(here.join("disk/filler")).unwrap();
    let resumed = exporter(here, "train --no-plots --resume disk/run").output().unwrap();
    assert!(resumed.status.success(), "{}", super::seen::said(&resumed));
    assert_eq!(fs::read(here.join("disk/m.safetensors")).unwrap(), fs::read(here.join("whole.safetensors")).unwrap());
    let losses = |run: &str| losses(&here.join(run).join("metrics.jsonl"));
    assert_eq!(losses("disk/run"), losses("whole"), "what was known at the checkpoint is kept");
    unmount(here);
}

/// Tests that a row without room leaves no half line, to which the next row would be appended.
fn metrics_stay_whole(here: &Path) {
    mount(here, "size=1m");
    let row = |step| Row::Loss { step, lr: 1.0, losses: vec![1.0 / 3.0; 1_000] };
    let mut run = RunFolder::create(&here.join("disk/run")).unwrap();
    run.record(&row(1)).unwrap();
    fill(here);
    assert!(run.record(&row(2)).unwrap_err().to_string().contains("No space left"));
    fs::remove_file(here.join("disk/filler")).unwrap();
    run.record(&row(3)).unwrap();
    let rows = metrics::read(&here.join("disk/run/metrics.jsonl")).unwrap();
    assert_eq!(rows.iter().map(Row::step).collect::<Vec<_>>(), [1, 3]);
    drop(run);
    unmount(here);
}

#[test]
#[ignore = "needs a mount namespace: cargo xtask test runs it where there is one"]
fn disks_that_are_full_or_read_only() {
    if std::env::var_os(INSIDE).is_none() {
        let mut inside = Command::new("unshare");
        inside.args(["--map-root-user", "--mount", "--"]).arg(std::env::current_exe().unwrap());
        inside.args(["--ignored", "--exact", "disks::disks_that_are_full_or_read_only", "--nocapture"]);
        assert!(inside.env(INSIDE, "1").status().unwrap().success());
        return;
    }
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let rows: Vec<String> = cases()
        .iter()
        .map(|case| {
            let row = case.row_in(here);
            unmount(here);
            row
        })
        .collect();
    assert_section("docs/trust/record/reliability.md", "disks", &table(rows.into_iter()));
    becomes_full(here);
    metrics_stay_whole(here);
}
