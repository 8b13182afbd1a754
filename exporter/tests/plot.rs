//! Tests the plots of a training, and the plots that compare several trainings.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

fn exporter(arguments: &[&str], folder: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_exporter"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        // Plots must not use the fonts of this machine.
        .env("FONTCONFIG_FILE", "/nonexistent")
        .output()
        .expect("the program starts");
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_training_leaves_plots() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    for seed in ["1", "2"] {
        let train = ["train", "--preset", "tiny", "--steps", "40", "--threads", "1", "--seed", seed];
        let (fine, stderr) = exporter(&train, here);
        assert!(fine && !stderr.contains("note:"), "{stderr}");
    }
    let check = |folder: &str, name: &str, says: &[&str]| {
        let svg = std::fs::read_to_string(here.join(folder).join(name).with_extension("svg")).unwrap();
        for text in says {
            assert!(svg.contains(text), "{name}.svg does not say {text:?}");
        }
        let png = std::fs::read(here.join(folder).join(name).with_extension("png")).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "{name}.png: {} bytes", png.len());
    };
    let run = "runs/tiny-seed1";
    check(run, "loss", &["loss, nats per character", "learning rate", "mean of 4 steps", "step"]);
    check(run, "train-dev", &["train and dev loss"]);
    check(run, "activations", &["level 1", "0.97", "standard deviation"]);
    check(run, "weights", &["embedding", "output", "std(update) / std(weight)"]);
    check(run, "tree", &["level 1: joins 2, 16 values", "sees 4 characters", "prediction"]);
    check(run, "embedding", &["component 1", "component 2"]);

    let (fine, stderr) = exporter(&["plot", "runs/tiny-seed1", "runs/tiny-seed2", "--out", "both"], here);
    assert!(fine, "{stderr}");
    check("both", "losses", &["tiny-seed1", "tiny-seed2"]);
    check("both", "train-dev", &["tiny-seed1, dev", "tiny-seed2, dev"]);
    let (fine, stderr) = exporter(&["plot", "nothing"], here);
    assert!(!fine && stderr.contains("nothing has no run"), "{stderr}");
}
