//! What the tests on shipped models share.

use std::path::{Path, PathBuf};

use exporter::data::{SHIPPED_NAME, Words};

/// A file of the workspace.
pub fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The lecture's list, on which the shipped models were trained, where it lies beside the repository, else the shipped one,
/// which they can read as well; and whether it is the lecture's.
pub fn words() -> (Words, bool) {
    let lecture = workspace("../shared/data/names.txt");
    if lecture.exists() {
        (Words::read(&lecture).unwrap(), true)
    } else {
        println!("{} is not there: using {SHIPPED_NAME}", lecture.display());
        (Words::shipped().unwrap(), false)
    }
}
