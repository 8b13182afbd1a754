//! Learning from other models: what is learned, and that nothing is lost on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use exporter::data::{Examples, Words};
use exporter::eval::{TorchModel, tensors};
use exporter::file::FoldedModel;
use exporter::train::distill::{draw_words, predictions};
use runtime::Vocab;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

/// A preset with teachers, cut down to seconds.
const SMALL: [&str; 14] = [
    "--preset",
    "gated-88-distilled",
    "--data",
    "words.txt",
    "--n-hidden",
    "8",
    "--epochs",
    "20",
    "--teacher-epochs",
    "6",
    "--threads",
    "1",
    "--drawn-words",
    "40",
];

fn train(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command.current_dir(folder).stdin(Stdio::null()).args(["train", "--no-plots"]).args(arguments);
    command
}

fn output(folder: &Path, arguments: &[&str]) -> (Output, String) {
    let output = train(folder, arguments).output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, stderr)
}

fn tiny_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tiny.safetensors")
}

/// A folder with a short list of words.
fn with_words() -> TempDir {
    let folder = TempDir::new().unwrap();
    let words = Words::shipped().unwrap().words;
    fs::write(folder.path().join("words.txt"), words[..1000].join("\n")).unwrap();
    folder
}

#[test]
fn killed_between_its_teachers_it_goes_on_to_the_same_bytes() {
    let folder = with_words();
    let here = folder.path();
    let (whole, stderr) = output(here, &[&SMALL[..], &["--out", "whole.safetensors", "--run-dir", "whole"]].concat());
    assert!(whole.status.success(), "{stderr}");
    for number in 1..=4 {
        assert!(stderr.contains(&format!("teacher {number} of 4: gated-160, seed {}", 42 + number)), "{stderr}");
    }
    assert!(stderr.contains("teachers together: dev "), "{stderr}");

    let mut child = train(here, &[&SMALL[..], &["--out", "m.safetensors", "--run-dir", "run"]].concat())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !here.join("run/teacher-2/config.json").exists() {
        assert!(started.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!here.join("run/teacher-2/result.json").exists(), "killed too late");
    let (resumed, stderr) = output(here, &["--resume", "run"]);
    assert!(resumed.status.success(), "{stderr}");
    assert!(!stderr.contains("teacher 1 of 4") && stderr.contains("teacher 2 of 4"), "{stderr}");
    let bytes = |file: &str| fs::read(here.join(file)).unwrap();
    assert_eq!(bytes("m.safetensors"), bytes("whole.safetensors"));
    assert_eq!(bytes("run/teacher-2/model.safetensors"), bytes("whole/teacher-2/model.safetensors"));
}

#[test]
fn any_model_can_be_the_teacher() {
    let folder = with_words();
    let here = folder.path();
    let teacher = tiny_path();
    let teacher = teacher.to_str().unwrap();
    let tiny = ["--preset", "tiny", "--data", "words.txt", "--epochs", "4", "--threads", "1", "--drawn-words", "40"];
    let (learned, stderr) = output(here, &[&tiny[..], &["--teacher", teacher]].concat());
    // So many of the shipped list have all letters.
    assert!(learned.status.success() && stderr.contains("teachers together: dev "), "{stderr}");

    let refused = |arguments: &[&str], expected: &str| {
        let (refused, stderr) = output(here, arguments);
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    refused(&tiny, "tiny has no teachers: --drawn-words, --hard and --teacher-epochs need a --teacher");
    refused(&["--preset", "tiny", "--data", "words.txt", "--teacher", "missing"], "missing");
    refused(&["--preset", "tiny", "--data", "words.txt", "--teacher", teacher, "--hard", "1.5"], "--hard");
    fs::write(here.join("words.txt"), "abc\nbca\ncab\n".repeat(20)).unwrap();
    refused(&["--preset", "tiny", "--data", "words.txt", "--teacher", teacher], "was trained on other characters");
}

#[test]
fn predictions_are_the_mean_over_teachers() {
    let tiny = FoldedModel::read(&tiny_path()).unwrap();
    let mut other = tiny.clone();
    other.output.bias[1] += 1.0;
    let words = ["ada".to_owned(), "bo".to_owned()];
    let both = predictions(&[tiny.clone(), other.clone()], &words, &tiny.vocab, Device::Cpu).unwrap();
    assert_eq!(both.size(), [3 + 1 + 2 + 1, 27]);

    let vocab = Vocab::new(&tiny.vocab).unwrap();
    let block_size = tiny.architecture.config(vocab.len()).unwrap().block_size();
    let (contexts, _) = tensors(&Examples::new("", &words, vocab, block_size).unwrap(), Device::Cpu);
    let one = |model: &FoldedModel| TorchModel::new(model, Device::Cpu).forward(&contexts).softmax(-1, Kind::Float);
    let mean: Tensor = (one(&tiny) + one(&other)) / 2.0;
    assert!((both - mean).abs().max().double_value(&[]) < 1e-6);

    let drawn = draw_words(&[tiny.clone(), other], 101, 7).unwrap();
    assert_eq!(drawn.len(), 101);
    assert_eq!(drawn[..50], draw_words(&[tiny], 50, 7).unwrap(), "each has its share, the first teacher first");
}
