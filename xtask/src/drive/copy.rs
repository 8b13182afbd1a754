//! Copies a file onto a board's drive, and finds out whether the board has taken it.
//!
//! A Pico restarts as soon as it has the last block of a UF2 file: the drive vanishes while the system still writes its
//! own tables, and then the write fails although the program is on the board. So a drive that vanishes is the success,
//! whatever the write returned. A micro:bit writes the program, then shows its drive again, with FAIL.TXT on it if it
//! refused the file.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Drive, places, read};

/// Time in which a drive vanishes after the last byte. A Pico takes less than a second.
const VANISHES: Duration = Duration::from_secs(10);
/// Time in which a micro:bit shows its drive again, and the desktop mounts it.
const RETURNS: Duration = Duration::from_secs(10);
/// Pause between two looks at the drive.
const LOOK: Duration = Duration::from_millis(100);
/// File by which a micro:bit says why it refused another file.
const FAILURE: &str = "FAIL.TXT";

impl Drive {
    /// Copies a file for the board onto the drive.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written, or if the board does not accept it.
    pub fn copy(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        let cannot_write =
            || format!("cannot write {}: is the drive still there, and may you write to it?", path.display());
        // A file of an earlier attempt is replaced.
        let file = File::create(&path).with_context(cannot_write)?;
        let is_mounted = is_mounted(&self.folder);
        let old_failure = read(&self.folder, FAILURE);
        let written = write(file, bytes).with_context(cannot_write);
        let has_vanished = is_mounted && wait(VANISHES, || !self.is_there());
        let outcome = Outcome { written, is_mounted, has_vanished };
        if self.boards.iter().any(|board| board.uf2_family.is_some()) {
            return outcome.of_uf2();
        }
        if has_vanished {
            wait(RETURNS, || self.is_there());
        }
        let failure =
            read(&self.folder, FAILURE).filter(|failure| has_vanished || old_failure.as_ref() != Some(failure));
        outcome.of_hex(failure)
    }

    /// Returns whether the drive is still there. Its files are no proof: the system may remember them.
    fn is_there(&self) -> bool {
        let has_device = places::device_of(&self.folder).is_none_or(|device| device.exists());
        has_device && is_mounted(&self.folder) && Self::at(&self.folder).is_some()
    }
}

/// Writes all bytes to the device.
fn write(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until something is true. Returns whether it became true within the limit.
fn wait(limit: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !is_true() {
        if start.elapsed() >= limit {
            return false;
        }
        thread::sleep(LOOK);
    }
    true
}

/// Returns whether a folder is a file system of its own. An ordinary folder may stand for a drive, without a board.
#[cfg(unix)]
fn is_mounted(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let device = |folder: &Path| folder.metadata().map(|metadata| metadata.dev());
    matches!((device(folder), device(&folder.join(".."))), (Ok(own), Ok(parent)) if own != parent)
}

/// Returns whether a folder is a drive: on Windows there is no folder above it.
#[cfg(not(unix))]
fn is_mounted(folder: &Path) -> bool {
    folder.parent().is_none() && folder.exists()
}

/// Observations during a copy.
struct Outcome {
    written: Result<()>,
    is_mounted: bool,
    has_vanished: bool,
}

impl Outcome {
    fn of_uf2(self) -> Result<()> {
        match self.written {
            _ if self.has_vanished => Ok(()),
            Ok(()) if self.is_mounted => {
                bail!("the board did not take the file, it still shows its drive: unplug it and try again")
            }
            // Only a folder: there is no board to wait for.
            written => written,
        }
    }

    /// `failure` is the text of the board, if it refused the file.
    fn of_hex(self, failure: Option<String>) -> Result<()> {
        if let Some(failure) = failure {
            bail!("the board refused the file: {}", failure.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        // A system that still writes its own tables to a drive that has gone reports an error.
        if self.has_vanished { Ok(()) } else { self.written }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::folder;
    use super::*;
    use anyhow::anyhow;
    use std::fs;

    const DETAILS: (&str, &str) = ("DETAILS.TXT", "Unique ID: 9904");
    const INFO: (&str, &str) = ("INFO_UF2.TXT", "Board-ID: RPI-RP2");

    fn outcome(is_written: bool, is_mounted: bool, has_vanished: bool) -> Outcome {
        let written = if is_written { Ok(()) } else { Err(anyhow!("input/output error")) };
        Outcome { written, is_mounted, has_vanished }
    }

    #[test]
    fn a_drive_that_vanishes_has_taken_a_uf2_file() {
        assert!(outcome(true, true, true).of_uf2().is_ok() && outcome(false, true, true).of_uf2().is_ok());
        assert!(outcome(true, false, false).of_uf2().is_ok() && outcome(false, false, false).of_uf2().is_err());
        assert!(outcome(true, true, false).of_uf2().unwrap_err().to_string().contains("did not take the file"));
        assert!(outcome(false, true, false).of_uf2().unwrap_err().to_string().contains("input/output error"));
    }

    #[test]
    fn a_micro_bit_may_refuse_a_file() {
        let refused = || Some("error: The hex file cannot be decoded.\r\nerror type: user\r\n".to_owned());
        let error = outcome(true, true, true).of_hex(refused()).unwrap_err().to_string();
        assert_eq!(error, "the board refused the file: error: The hex file cannot be decoded. error type: user");
        assert!(outcome(false, true, true).of_hex(None).is_ok() && outcome(true, true, false).of_hex(None).is_ok());
        assert!(outcome(false, true, false).of_hex(None).is_err());
    }

    #[test]
    fn a_folder_stands_for_a_drive() {
        for (name, files) in [("uf2", [INFO, ("x", "")]), ("hex", [DETAILS, (FAILURE, "an earlier failure")])] {
            let folder = folder(name, &files);
            let drive = Drive::at(&folder).unwrap();
            drive.copy("program", b"first, and longer").unwrap();
            drive.copy("program", b"second").unwrap();
            assert_eq!(fs::read(folder.join("program")).unwrap(), b"second");
            fs::remove_dir_all(folder).unwrap();
            let error = format!("{:#}", drive.copy("program", b"third").unwrap_err());
            assert!(error.contains("is the drive still there"), "{error}");
        }
    }

    /// `/proc` is mounted on every Linux machine, its folders are not.
    #[cfg(target_os = "linux")]
    #[test]
    fn mounts_differ_from_folders() {
        assert!(is_mounted(Path::new("/proc")));
        assert!(!is_mounted(Path::new("/proc/self")) && !is_mounted(Path::new("/no/such/folder")));
    }

    #[test]
    fn waiting_ends() {
        let mut looks = 0;
        assert!(wait(Duration::from_secs(60), || {
            looks += 1;
            looks == 3
        }));
        assert!(!wait(Duration::ZERO, || false));
    }
}
