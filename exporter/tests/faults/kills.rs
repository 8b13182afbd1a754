//! Tests that every file is whole, whenever the program is killed.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use exporter::model::file::FoldedModel;
use exporter::train::checkpoint::Checkpoint;
use exporter::train::run::metrics;
use runtime::Model;
use runtime::format::AlignedBlob;
use tempfile::TempDir;

use super::seen::{exporter, files, losses, model, prepared, said};

/// Reads every file of a folder as the kind that its name says; returns the number of temporary files.
///
/// # Panics
/// If a file is not whole.
fn whole(folder: &Path) -> usize {
    let mut temporary = 0;
    for (name, bytes) in files(folder) {
        let path = folder.join(&name);
        let file = name.rsplit('/').next().unwrap_or_default();
        let refused = match file.rsplit('.').next().unwrap_or_default() {
            // A folder, or the lock of a run.
            "" | "lock" => None,
            "tmp" if file.starts_with(".exporter-") => {
                temporary += 1;
                None
            }
            "safetensors" if file == "checkpoint.safetensors" => Checkpoint::read(&path).err().map(|e| e.to_string()),
            "safetensors" => FoldedModel::read(&path).err().map(|e| e.to_string()),
            "blob" => Model::new(AlignedBlob::from(&*bytes).as_bytes()).err().map(|e| e.to_string()),
            "json" => serde_json::from_slice::<serde_json::Value>(&bytes).err().map(|e| e.to_string()),
            "jsonl" => metrics::read(&path).err().map(|e| e.to_string()),
            "svg" => (!bytes.ends_with(b"</svg>\n")).then(|| "no end".to_owned()),
            "png" => (!bytes.ends_with(b"IEND\xaeB`\x82")).then(|| "no end".to_owned()),
            _ => Some("the test does not know this kind".to_owned()),
        };
        assert_eq!(refused, None, "{name}, {} bytes", bytes.len());
    }
    temporary
}

/// Runs a command that is killed when a file exceeds `kib` KiB; returns whether it was killed.
///
/// The kill is inside a write, which a kill after some time seldom hits.
fn killed_beyond(kib: usize, here: &Path, arguments: &str) -> bool {
    let output = prepared(here, &format!("ulimit -c 0 -f {kib}"), arguments).output().expect("the program starts");
    const SIGXFSZ: i32 = 25;
    match output.status.signal() {
        Some(signal) => assert_eq!(signal, SIGXFSZ, "{arguments}: {}", said(&output)),
        None => assert!(output.status.success(), "{arguments}: {}", said(&output)),
    }
    output.status.signal().is_some()
}

/// Kills commands while they replace a file: the old file must stay until the new one is whole.
#[test]
fn killed_while_it_writes_a_file() {
    let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/pytorch/deep16.safetensors");
    let import = format!("import --in {} --out m.safetensors", network.display());
    for (arguments, out, sizes) in [
        ("export --model tiny.safetensors --out m.blob", "m.blob", &[0, 1, 2, 3, 4, 5][..]),
        (&import, "m.safetensors", &[0, 100, 230]),
        ("activations --model tiny.safetensors --word emma --out m.png", "m.png", &[0, 8]),
        (
            "finetune --model tiny.safetensors --epochs 0.01 --threads 1 --out m.safetensors",
            "m.safetensors",
            &[0, 3, 6],
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let here = folder.path();
        fs::write(here.join("tiny.safetensors"), model("tiny.safetensors")).unwrap();
        let finished = || killed_beyond(1 << 20, here, arguments);
        assert!(!finished());
        let before = fs::read(here.join(out)).unwrap();
        for &kib in sizes {
            assert!(killed_beyond(kib, here, arguments), "{arguments}: {} bytes in {kib} KiB", before.len());
            assert_eq!(fs::read(here.join(out)).unwrap(), before, "{arguments}, {kib} KiB");
        }
        assert_eq!(whole(here), sizes.len(), "{arguments}: one temporary file per kill");
        assert!(!finished());
        whole(here);
    }
}

/// Kills a training again and again, later each time, with a checkpoint at every step: the files must be whole each
/// time, and the result in the end must be that of a training that was not killed.
#[test]
fn killed_again_and_again() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let recipe = "train --preset tiny --steps 300 --dropout 0.1 --batch-size 64 --threads 1";
    let all = exporter(here, &format!("{recipe} --run-dir all --out all.safetensors")).output().unwrap();
    assert!(all.status.success(), "{}", said(&all));

    let (mut kills, mut goes_on, mut temporary, mut left) = (0, 0, 0, 0);
    for attempt in 1.. {
        let started = here.join("run/config.json").exists();
        let arguments = if started {
            "train --resume run".to_owned()
        } else {
            format!("{recipe} --run-dir run --out m.safetensors")
        };
        let mut child = exporter(here, &(arguments + " --checkpoint-every 1")).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(40 * attempt));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let now = if here.join("run").exists() { whole(&here.join("run")) } else { 0 };
        // A continued training removes the temporary files of killed ones, if it comes so far.
        assert!(now <= temporary + 1, "{now} temporary files, {temporary} before");
        (temporary, left) = (now, left + usize::from(now > temporary));
        whole(here);
        if status.signal().is_none() {
            assert!(here.join("run/result.json").exists(), "attempt {attempt}: {status}");
            break;
        }
        kills += 1;
        goes_on += usize::from(here.join("run/checkpoint.safetensors").exists());
        // The training was finished, and the kill came while it plotted.
        if here.join("run/result.json").exists() {
            break;
        }
    }
    println!("{kills} kills, {goes_on} with a checkpoint, {left} with a temporary file");
    assert!(kills >= 5 && goes_on >= 2, "{kills} kills, {goes_on} with a checkpoint");
    for (one, other) in [("m", "all"), ("run/model", "all/model")] {
        let read = |name: &str| fs::read(here.join(name).with_extension("safetensors")).unwrap();
        assert_eq!(read(one), read(other), "{one}");
    }
    let losses = |run: &str| losses(&here.join(run).join("metrics.jsonl"));
    assert_eq!(losses("run"), losses("all"));
    let plot = exporter(here, "plot run").output().unwrap();
    assert!(plot.status.success(), "{}", said(&plot));
    whole(here);
    for kib in [0, 4, 16] {
        assert!(killed_beyond(kib, here, "plot run"), "{kib} KiB");
        whole(here);
    }
}

/// Tests that a training stops in order after Ctrl-C and after the signals of a shutdown.
#[test]
fn stopped_by_a_signal() {
    for signal in ["INT", "TERM", "HUP"] {
        let folder = TempDir::new().unwrap();
        let here = folder.path();
        let train = "train --preset tiny --steps 1000000 --threads 1 --no-plots --run-dir run --out m.safetensors";
        let mut child =
            exporter(here, &format!("{train} --checkpoint-every 1")).stderr(Stdio::piped()).spawn().unwrap();
        while !here.join("run/checkpoint.safetensors").exists() {
            assert_eq!(child.try_wait().unwrap(), None);
            sleep(Duration::from_millis(2));
        }
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([format!("-{signal}"), id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}: {}", said(&output));
        assert!(said(&output).contains("interrupted: m.safetensors holds the best model so far"), "{}", said(&output));
        assert!(
            said(&output).contains("to continue: cargo run -p exporter -- train --resume run"),
            "{}",
            said(&output)
        );
        assert_eq!(whole(here), 0, "{signal}");
    }
}
