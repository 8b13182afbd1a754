//! The words on which the rounding is calibrated.

use std::path::Path;

use crate::common::workspace;
use crate::lists::{CYRILLIC, trained};
use crate::program::{Outcome, run_in};
use crate::table::row;

/// Exports a model as int4.
fn export(folder: &Path, model: &str, more: &[&str], out: &str) -> Outcome {
    let command = ["export", "--model", model, "--precision", "int4", "--out", out];
    run_in(folder, &[&command[..], more].concat())
}

#[test]
fn a_model_of_another_list_is_calibrated_on_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), CYRILLIC, "m.safetensors");
    let outcome = export(folder.path(), "m.safetensors", &[], "m.blob").succeeds();
    let note = "calibrated on 3,000 words drawn from the model; to use a word list: --calibration FILE";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    export(folder.path(), "m.safetensors", &[], "again.blob").succeeds();
    let bytes = |file: &str| std::fs::read(folder.path().join(file)).unwrap();
    assert_eq!(bytes("m.blob"), bytes("again.blob"), "the same words every time");
    row("a model trained on another list than the shipped one", "export --precision int4", note);

    let listed = export(folder.path(), "m.safetensors", &["--calibration", "list.txt"], "listed.blob").succeeds();
    assert!(!listed.stderr.contains("drawn"), "{}", listed.stderr);
    let shipped = workspace("exporter/data/names.txt");
    let wrong = ["--calibration", shipped.to_str().unwrap()];
    export(folder.path(), "m.safetensors", &wrong, "wrong.blob").fails(&["--calibration", "names.txt"]);
    assert!(!folder.path().join("wrong.blob").exists());
}

#[test]
fn a_model_of_the_shipped_list_is_calibrated_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = workspace("models/tiny.safetensors");
    let outcome = export(folder.path(), model.to_str().unwrap(), &[], "tiny.blob").succeeds();
    let note = "calibrated on the shipped list of names, the list that the model was trained on";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    let shipped = std::fs::read(workspace("models/tiny.int4.blob")).unwrap();
    assert_eq!(std::fs::read(folder.path().join("tiny.blob")).unwrap(), shipped, "the blob of the repository");
}
