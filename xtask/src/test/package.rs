//! The runtime as another project gets it: packed, unpacked outside the workspace, and tested there.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::jobs::{Job, Work};
use crate::command::ask;
use crate::repo::Repo;

/// Cargo's folder for the package and its tests.
const FOLDER: &str = "target/package";

/// Returns the job that packs the runtime, from which follows the job that tests the archive.
///
/// Outside the workspace, a test that needs a file beside the package fails, and so does a manifest that needs the
/// workspace's.
pub fn job(repo: &Repo) -> Job<'_> {
    // `cargo package` asks the registry for newer versions unless it is offline. If this download fails, so does
    // the package, and says what it lacks.
    let _ = ask(repo.cargo().args(["fetch", "--locked"]));
    let mut pack = repo.cargo();
    // Cargo unpacks the archive to build it. Before a commit, the files to test are not committed yet.
    pack.args(["package", "--package", "runtime", "--offline", "--allow-dirty", "--target-dir", FOLDER]);
    let test = |_: &str| {
        let folder = outside(repo);
        mirror(&unpacked(repo)?, &folder)?;
        let mut test = repo.cargo();
        test.current_dir(folder).args(["test", "--locked", "--features", "std", "--target-dir"]);
        test.arg(repo.root().join(FOLDER));
        // As fast as the workspace's own, in which the profile says so.
        test.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "false");
        let name = "the runtime's tests from its package, outside the workspace".to_owned();
        Ok(vec![Job { name, folder: Some(FOLDER), work: test.into() }])
    };
    Job { name: "package of the runtime".to_owned(), folder: Some(FOLDER), work: Work::Then(pack, Box::new(test)) }
}

/// Returns the folder to which `cargo package` unpacks the runtime.
fn unpacked(repo: &Repo) -> Result<PathBuf> {
    let folder = repo.root().join(FOLDER).join("package");
    let version = env!("CARGO_PKG_VERSION");
    let folder = folder.join(format!("runtime-{version}"));
    if !folder.is_dir() {
        bail!("cargo package left no folder {}", folder.display());
    }
    Ok(folder)
}

/// Returns a folder outside the workspace. It is the same in every run, so that Cargo builds an unchanged package once.
fn outside(repo: &Repo) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    repo.root().hash(&mut hasher);
    env::temp_dir().join(format!("runtime-package-{:016x}", hasher.finish()))
}

/// Makes a folder equal to another. Does not write files that are equal already: Cargo compares the times of changes.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let is_dir = entry.file_type()?.is_dir();
        let other = from.join(entry.file_name());
        if !other.exists() || other.is_dir() != is_dir {
            let path = entry.path();
            let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            mirror(&from, &to)?;
            continue;
        }
        let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_equal_and_touches_only_what_differs() {
        let top = env::temp_dir().join(format!("mirror-{}", std::process::id()));
        let (from, to) = (top.join("from"), top.join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir_all(to.join("gone")).unwrap();
        fs::write(from.join("a/b/same"), "1").unwrap();
        fs::write(from.join("changed"), "2").unwrap();
        fs::write(to.join("gone/file"), "3").unwrap();
        mirror(&from, &to).unwrap();
        let modified = |file: &str| fs::metadata(to.join(file)).unwrap().modified().unwrap();
        let same = modified("a/b/same");
        fs::write(from.join("changed"), "4").unwrap();
        mirror(&from, &to).unwrap();
        assert_eq!(modified("a/b/same"), same);
        assert_eq!(fs::read_to_string(to.join("changed")).unwrap(), "4");
        assert!(!to.join("gone").exists());
        fs::remove_dir_all(top).unwrap();
    }
}
