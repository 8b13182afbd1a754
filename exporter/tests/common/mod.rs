//! Helpers of the tests on shipped models.

use std::path::{Path, PathBuf};

use exporter::data::{SHIPPED_NAME, Words};

/// Returns the path of a file in the workspace.
pub fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Returns the lecture's list, on which the shipped models were trained, and true. If the list is not beside the
/// repository, returns the shipped list, which the models can read too, and false.
pub fn words() -> (Words, bool) {
    let lecture = workspace("../shared/data/names.txt");
    if lecture.exists() {
        (Words::read(&lecture).unwrap(), true)
    } else {
        println!("{} is not there: using {SHIPPED_NAME}", lecture.display());
        (Words::shipped().unwrap(), false)
    }
}
