//! Files of another kind than the command reads.

use crate::common::workspace;
use crate::program::run_in;
use crate::table::row;

#[test]
fn a_blob_is_not_finetuned() {
    let folder = tempfile::tempdir().unwrap();
    let blob = workspace("models/tiny.int8.blob");
    let arguments = ["finetune", "--model", blob.to_str().unwrap(), "--out", "tuned.safetensors"];
    let outcome = run_in(folder.path(), &arguments).fails(&["tiny.int8.blob"]);
    assert!(!folder.path().join("tuned.safetensors").exists());
    row("a blob", "finetune", outcome.last());
}
