//! Paths of a run's files, recorded so that the run can be moved, with or without the files.

use std::path::{Component, Path, PathBuf};

use anyhow::bail;

/// A file of a run in `config.json`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// The form that this version writes.
    Recorded {
        /// The path from the run's folder, valid after both have been moved.
        from_run: PathBuf,
        /// The absolute path, valid after only the run has been moved.
        absolute: PathBuf,
    },
    /// The path on the command line, and the form that earlier versions wrote.
    Given(PathBuf),
}

impl Place {
    /// Returns the place in the form for `config.json` of the run in `run`, a folder that must exist.
    pub fn recorded(&self, run: &Path) -> std::io::Result<Self> {
        let Self::Given(path) = self else { return Ok(self.clone()) };
        let absolute = std::path::absolute(path)?;
        // `..` after a symbolic link leads elsewhere, so links are resolved first.
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let real = absolute.file_name().map_or(real.clone(), |name| real.join(name));
        Ok(match way(&run.canonicalize()?, &real) {
            Some(from_run) => Self::Recorded { from_run, absolute },
            None => Self::Given(absolute),
        })
    }

    /// Returns the possible paths of the file, the likeliest first, for the run that is now in `run`.
    pub fn candidates(&self, run: &Path) -> Vec<PathBuf> {
        match self {
            Self::Given(path) => vec![path.clone()],
            Self::Recorded { from_run, absolute } => {
                let run = run.canonicalize().unwrap_or_else(|_| run.to_owned());
                let mut path = run;
                for part in from_run.components() {
                    match part {
                        Component::ParentDir => drop(path.pop()),
                        other => path.push(other),
                    }
                }
                if is_same(&path, absolute) { vec![absolute.clone()] } else { vec![path, absolute.clone()] }
            }
        }
    }
}

/// Returns whether two paths name the same file. The file need not exist, but its folder must.
fn is_same(a: &Path, b: &Path) -> bool {
    let folder = |path: &Path| path.parent()?.canonicalize().ok();
    a == b || (a.file_name() == b.file_name() && folder(a).is_some() && folder(a) == folder(b))
}

/// Returns the relative path from a folder to a file, both absolute; `None` if they have no common parent.
fn way(from: &Path, to: &Path) -> Option<PathBuf> {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    // Paths on one drive have at least the root in common; paths on two drives of Windows have nothing in common.
    let is_absolute = from.is_absolute() && to.is_absolute();
    if !is_absolute || common == 0 {
        return None;
    }
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    Some(up.chain(to.components().skip(common)).collect())
}

/// Fails if the name of a list is not UTF-8, which JSON requires. [`crate::cli::paths`] checks the other files.
pub fn check_name(option: &str, path: Option<&Path>) -> anyhow::Result<()> {
    match path {
        Some(path) if path.to_str().is_none() => {
            bail!("{option} {path:?}: the name is not UTF-8, so the run's config.json cannot hold it: rename the file")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_after_a_move() {
        let old = tempfile::tempdir().unwrap();
        let run = old.path().join("runs/a");
        std::fs::create_dir_all(&run).unwrap();
        let list = old.path().join("words.txt");
        std::fs::write(&list, "").unwrap();
        let place = Place::Given(list.clone()).recorded(&run).unwrap();
        let Place::Recorded { from_run, absolute } = &place else { panic!("{place:?}") };
        assert_eq!((from_run.as_path(), absolute), (Path::new("../../words.txt"), &list));
        let new = tempfile::tempdir().unwrap();
        let moved = new.path().join("runs/a");
        std::fs::create_dir_all(&moved).unwrap();
        let candidates = place.candidates(&moved);
        assert_eq!(candidates[0], new.path().canonicalize().unwrap().join("words.txt"));
        assert_eq!(candidates[1], list);
        // A run of an earlier version.
        let json: Place = serde_json::from_str("\"/lists/words.txt\"").unwrap();
        assert_eq!(json.candidates(&moved), [PathBuf::from("/lists/words.txt")]);
    }
}
