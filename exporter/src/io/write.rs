//! Writes files whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Error of a file that was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct WriteError {
    path: PathBuf,
    source: std::io::Error,
}

/// Writes a temporary file in the same folder, flushes it to the disk, and renames it to `path`.
///
/// A crash or a full disk leaves the earlier file under `path` as it was.
///
/// # Errors
/// [`WriteError`] has the file's name and the operating system's error.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let error = |source| WriteError { path: path.to_owned(), source };
    refuse_special(path).map_err(error)?;
    let mut file = temporary_beside(path).map_err(error)?;
    file.as_file_mut().write_all(bytes).map_err(error)?;
    file.as_file().sync_all().map_err(error)?;
    file.persist(path).map_err(|failed| error(failed.error))?;
    Ok(())
}

/// Checks before long work whether `path` can be written, and leaves an existing file as it is.
///
/// # Errors
/// [`WriteError`] has the file's name and the operating system's error.
pub fn check_writable(path: &Path) -> Result<(), WriteError> {
    let error = |source| WriteError { path: path.to_owned(), source };
    refuse_special(path).map_err(error)?;
    temporary_beside(path).map(drop).map_err(error)
}

/// Checks before long work whether a file of `bytes` bytes can be written in `folder`: the folder allows it, and the
/// disk has room.
///
/// # Errors
/// [`WriteError`] has the folder's name and the operating system's error.
pub fn check_room(folder: &Path, bytes: usize) -> Result<(), WriteError> {
    let error = |source| WriteError { path: folder.to_owned(), source };
    let mut file = temporary_beside(&folder.join("probe")).map_err(error)?;
    // Pseudo-random bytes: some file systems store zeros without using space.
    let block: Vec<u8> = (0..1 << 16).map(|index: u32| index.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let mut left = bytes;
    while left > 0 {
        let part = left.min(block.len());
        file.as_file_mut().write_all(&block[..part]).map_err(error)?;
        left -= part;
    }
    file.as_file().sync_all().map_err(error)
}

/// Refuses a folder, a device or a pipe: renaming a file to this path would replace a device such as `/dev/null`.
fn refuse_special(path: &Path) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Err(std::io::Error::other("it is a device or a pipe, not a file")),
        _ => Ok(()),
    }
}

/// Removes the temporary files that killed processes left in a folder. No other process may be writing in the folder.
///
/// # Errors
/// [`WriteError`] has the file's name and the operating system's error.
pub fn remove_leftovers(folder: &Path) -> Result<(), WriteError> {
    let error = |path: &Path, source| WriteError { path: path.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(|source| error(folder, source))? {
        let entry = entry.map_err(|source| error(folder, source))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1) {
            std::fs::remove_file(entry.path()).map_err(|source| error(&entry.path(), source))?;
        }
    }
    Ok(())
}

/// Prefix and suffix of the names of temporary files.
const TEMPORARY: (&str, &str) = (".exporter-", ".tmp");

fn temporary_beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        return Err(std::io::Error::new(std::io::ErrorKind::NotFound, message));
    }
    let mut builder = tempfile::Builder::new();
    // `make_in` instead of tempfile's default: its files are readable only by their owner, and its errors name the
    // temporary file, which the user does not know.
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1).make_in(folder, |path| std::fs::File::create_new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_whole_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"one").unwrap();
        check_writable(&path).unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let left = temporary_beside(&path).unwrap().keep().unwrap();
        remove_leftovers(folder.path()).unwrap();
        assert!(!left.1.exists() && path.exists());
        let missing = folder.path().join("missing").join("file");
        assert!(check_writable(&missing).unwrap_err().to_string().contains("there is no folder"));
        assert!(check_writable(folder.path()).is_err());
    }
}
