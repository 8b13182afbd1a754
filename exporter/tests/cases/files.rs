//! Files of another kind than the command reads, and unusual file names.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::common::workspace;
use crate::program::{exporter, run_in};
use crate::table::row;

/// Makes a folder with a file of each kind and the trained model `m.safetensors`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let copy = |from: &str, name: &str| assert!(fs::copy(workspace(from), folder.path().join(name)).unwrap() > 0);
    copy("models/tiny.safetensors", "m.safetensors");
    copy("models/tiny.int8.blob", "m.blob");
    copy("tests/fixtures/pytorch/deep16.safetensors", "net.safetensors");
    copy("tests/fixtures/pytorch/deep16.safetensors", "model.safetensors");
    write("empty.safetensors", b"");
    write("net.pt", b"PK\x03\x04\x14\0\x08\x08archive/data.pkl");
    write("old.pt", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.");
    write("words.txt", "emma\nzo\u{eb}\n".as_bytes());
    write("net.safetensors.gz", b"\x1f\x8b\x08\0\0");
    write("plot.png", b"\x89PNG\r\n\x1a\n");
    write("pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\n");
    fs::create_dir_all(folder.path().join("folder")).unwrap();
    fs::create_dir_all(folder.path().join("run")).unwrap();
    copy("models/tiny.safetensors", "run/model.safetensors");
    folder
}

/// Each file, and the error of a command that reads it as a model.
const KINDS: [(&str, &str); 12] = [
    (
        "net.safetensors",
        "net.safetensors is a state_dict? import it first: \
         cargo run -p exporter -- import --in net.safetensors --out model.safetensors",
    ),
    (
        "model.safetensors",
        "model.safetensors is a state_dict? import it first: \
         cargo run -p exporter -- import --in model.safetensors --out folded.safetensors",
    ),
    ("empty.safetensors", "empty.safetensors is empty"),
    ("net.pt", "net.pt is a file of torch.save: save the network as safetensors"),
    ("old.pt", "old.pt is a file of torch.save: save the network as safetensors"),
    ("words.txt", "words.txt is text, not a model"),
    ("net.safetensors.gz", "net.safetensors.gz is compressed by gzip"),
    ("plot.png", "plot.png is a picture (PNG), not a model"),
    ("pointer.safetensors", "pointer.safetensors is a Git LFS pointer: `git lfs pull`"),
    ("folder", "cannot read folder: it is a folder, not a file"),
    ("run", "cannot read run: it is a folder: the model in it is model.safetensors"),
    ("none.blob", "cannot read none.blob: No such file or directory"),
];

#[test]
fn a_file_of_another_kind_is_named() {
    let folder = folder();
    for (file, says) in KINDS {
        let outcome = run_in(folder.path(), &["sample", "--model", file]).fails(&[says]);
        row(file, "sample --model", outcome.last());
        run_in(folder.path(), &["finetune", "--out", "x.safetensors", "--model", file]).fails(&[says]);
    }
    assert!(!folder.path().join("x.safetensors").exists());
}

#[test]
fn a_blob_is_not_finetuned() {
    let folder = folder();
    let arguments = ["finetune", "--model", "m.blob", "--out", "tuned.safetensors"];
    let outcome = run_in(folder.path(), &arguments)
        .fails(&["m.blob is a blob, which is already exported: use the model.safetensors that it was made from"]);
    assert!(!folder.path().join("tuned.safetensors").exists());
    row("a blob", "finetune", outcome.last());
}

#[test]
fn files_of_a_training_are_named() {
    let folder = folder();
    let here = folder.path();
    let header = br#"{"__metadata__":{"format":"makemore-checkpoint","format_version":"1"}}"#;
    let checkpoint = [&(header.len() as u64).to_le_bytes()[..], header].concat();
    fs::write(here.join("run/checkpoint.safetensors"), checkpoint).unwrap();
    let outcome = run_in(here, &["sample", "--model", "run/checkpoint.safetensors"])
        .fails(&["is the checkpoint of a training: `train --resume run` continues the training"]);
    row("a checkpoint", "sample --model", outcome.last());
    let golden = workspace("tests/fixtures/pytorch/deep16_golden.safetensors");
    fs::copy(golden, here.join("golden.safetensors")).unwrap();
    let outcome = run_in(here, &["sample", "--model", "golden.safetensors"]).fails(&["golden contexts and logits"]);
    row("a golden file", "sample --model", outcome.last());
}

#[test]
fn what_is_imported_is_named() {
    let folder = folder();
    for (file, says) in [
        ("m.blob", "m.blob: it is not a safetensors file: it is a blob"),
        ("words.txt", "words.txt: it is not a safetensors file: it is text"),
        ("empty.safetensors", "empty.safetensors: it is not a safetensors file: it is empty"),
        ("plot.png", "plot.png: it is not a safetensors file: it is a picture (PNG)"),
        ("net.pt", "net.pt: it is a pickle of torch.save"),
        ("folder", "cannot read folder: it is a folder"),
    ] {
        let outcome = run_in(folder.path(), &["import", "--in", file, "--out", "x.safetensors"]).fails(&[says]);
        row(file, "import --in", outcome.last());
    }
    assert!(!folder.path().join("x.safetensors").exists());
}

#[test]
fn a_dash_is_no_file() {
    let folder = folder();
    for arguments in [
        "sample --model -",
        "export --model - --out x.blob",
        "export --model m.safetensors --out -",
        "import --in - --out x.safetensors",
        "import --in net.safetensors --out -",
        "validate --model m.safetensors --golden -",
        "train --preset tiny --out -",
        "train --preset tiny --run-dir -",
        "train --resume -",
        "plot -",
    ] {
        let outcome = run_in(folder.path(), &arguments.split(' ').collect::<Vec<_>>())
            .fails(&[" -: stdin and stdout cannot replace a file"]);
        row("-", arguments, outcome.last());
    }
    assert!(!folder.path().join("-").exists() && !folder.path().join("runs").exists());
    // A file with the name `-` can be read as `./-`.
    fs::copy(folder.path().join("m.blob"), folder.path().join("-")).unwrap();
    run_in(folder.path(), &["sample", "--model", "./-", "-n", "1"]).succeeds();
}

/// Runs the program in a folder with arguments that are not UTF-8: `%` becomes the byte FF. Returns exit code and
/// stderr.
fn run_raw(here: &Path, arguments: &str) -> (Option<i32>, String) {
    let bytes = |argument: &str| argument.bytes().map(|byte| if byte == b'%' { 0xff } else { byte }).collect();
    let arguments: Vec<Vec<u8>> = arguments.split(' ').map(bytes).collect();
    let mut command = exporter(&[]);
    command.args(arguments.iter().map(|argument| OsStr::from_bytes(argument)));
    let output = command.current_dir(here).output().expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn names_that_are_not_utf_8_work() {
    let folder = folder();
    let here = folder.path();
    for (arguments, file) in [
        ("import --in net.safetensors --out i%.safetensors", "i%.safetensors"),
        ("export --model i%.safetensors --out e%.blob", "e%.blob"),
        ("sample --model e%.blob -n 1", ""),
        ("inspect --model e%.blob --json", ""),
        ("activations --model m.safetensors --word emma --out a%.svg", "a%.svg"),
        ("man --out pages%", "pages%"),
    ] {
        let (code, stderr) = run_raw(here, arguments);
        assert_eq!(code, Some(0), "{arguments}: {stderr}");
        let file: Vec<u8> = file.bytes().map(|byte| if byte == b'%' { 0xff } else { byte }).collect();
        assert!(here.join(OsStr::from_bytes(&file)).exists(), "{arguments}");
        row("a name that is not UTF-8", &arguments.replace('%', "\\xFF"), "exit 0");
    }
}

#[test]
fn names_that_are_not_utf_8_are_named_where_they_do_not_work() {
    let folder = folder();
    let here = folder.path();
    let train = "train --preset tiny --steps 2 --threads 1 --no-plots";
    for (arguments, expected, code) in [
        (format!("{train} --out m%.safetensors"), r#"--out "m\xFF.safetensors": the name is not UTF-8"#, 1),
        (format!("{train} --run-dir r%"), r#"--run-dir "r\xFF": the name is not UTF-8"#, 1),
        ("sweep --preset tiny --out s%".to_owned(), r#"--out "s\xFF": the name is not UTF-8"#, 1),
        ("sample --model m.blob --prompt e%".to_owned(), r#"error: argument "e\xFF" is not UTF-8"#, 2),
        ("sample --model no%.blob".to_owned(), "cannot read no\u{fffd}.blob", 1),
    ] {
        let (found, stderr) = run_raw(here, &arguments);
        assert_eq!(found, Some(code), "{arguments}: {stderr}");
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{arguments}: {stderr}");
        row("a name that is not UTF-8", &arguments.replace('%', "\\xFF"), stderr.trim());
    }
    assert!(
        !here.join("runs").exists()
            && fs::read_dir(here).unwrap().all(|entry| entry.unwrap().file_name().to_str().is_some())
    );
}
