//! USB drives of boards: a Pico with its button held, and the micro:bits. A file on the drive becomes the program.

mod copy;
mod places;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::board::{self, Board};

pub use places::{Unmounted, folders, searched, unmounted};

/// File by which a drive for UF2 files describes itself, and the line with the kind of board.
const INFO: &str = "INFO_UF2.TXT";
const INFO_KEY: &str = "Board-ID:";
/// Files on a micro:bit's drive: a link to its web page, and facts with the serial number.
const PAGE: &str = "MICROBIT.HTM";
const DETAILS: &str = "DETAILS.TXT";
const DETAILS_KEY: &str = "Unique ID:";
/// Beginnings of the serial numbers of micro:bits: DAPLink's identifiers of boards, `docs/` of its repository.
const MICROBITS: [(&str, &str); 6] = [
    ("9900", "microbit"),
    ("9901", "microbit"),
    ("9903", "microbit-v2"),
    ("9904", "microbit-v2"),
    ("9905", "microbit-v2"),
    ("9906", "microbit-v2"),
];

/// A board's drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// Folder at which the drive is mounted.
    pub folder: PathBuf,
    /// Its name.
    pub name: &'static str,
    /// Boards with such a drive. For UF2 they are kinds of cores of one board, the usual first. For micro:bits they are
    /// both versions if the drive does not tell.
    pub boards: Vec<&'static Board>,
}

impl Drive {
    /// Returns the drive in a folder, or `None` if the folder is not the drive of a board in the list.
    pub fn at(folder: &Path) -> Option<Self> {
        let boards = match read(folder, INFO) {
            Some(info) => {
                let id = value(&info, INFO_KEY)?;
                board::with_uf2().filter(|board| board.drive == Some(id)).collect()
            }
            None => microbits(folder)?,
        };
        let name = boards.first().and_then(|board: &&Board| board.drive)?;
        Some(Self { folder: folder.to_owned(), name, boards })
    }
}

impl fmt::Display for Drive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drive {} at {}", self.name, self.folder.display())
    }
}

/// Returns the drives in these folders.
pub fn find(folders: &[PathBuf]) -> Vec<Drive> {
    folders.iter().filter_map(|folder| Drive::at(folder)).collect()
}

/// Returns the micro:bits whose drive a folder may be: one if there is a serial number on it, otherwise all.
fn microbits(folder: &Path) -> Option<Vec<&'static Board>> {
    let details = read(folder, DETAILS);
    let serial = details.as_deref().and_then(|details| value(details, DETAILS_KEY));
    if let Some(board) = serial.and_then(microbit) {
        return Some(vec![board]);
    }
    find_file(folder, PAGE).map(|_| board::with_hex().collect())
}

/// Returns the micro:bit with a serial number, which is that of its USB device, too.
pub fn microbit(serial: &str) -> Option<&'static Board> {
    let (_, name) = MICROBITS.iter().find(|(beginning, _)| serial.starts_with(beginning))?;
    board::find(name).ok()
}

/// Returns the path of a file. A file system may show the names in small letters.
fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut files = files.filter(|file| file.file_name().eq_ignore_ascii_case(name));
    files.next().map(|file| file.path())
}

fn read(folder: &Path, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(find_file(folder, name)?).ok()?).into_owned())
}

/// Returns the text after a key, up to the end of the line.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::names;

    /// Makes a folder with files, as a drive has them.
    pub(super) fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-drive-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        folder
    }

    fn boards(files: &[(&str, &str)]) -> Option<(&'static str, String)> {
        let folder = folder("boards", files);
        let drive = Drive::at(&folder);
        fs::remove_dir_all(folder).unwrap();
        drive.map(|drive| (drive.name, names(drive.boards.into_iter())))
    }

    #[test]
    fn drives_are_recognized() {
        let rp2040 = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n";
        assert_eq!(boards(&[(INFO, rp2040)]), Some(("RPI-RP2", "pico".to_owned())));
        let rp2350 = "UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n";
        assert_eq!(boards(&[("info_uf2.txt", rp2350)]), Some(("RP2350", "pico2, pico2-riscv".to_owned())));
        let details =
            |id: &str| format!("# DAPLink Firmware - see https://mbed.com/daplink\r\nUnique ID: {id}4e45\r\n");
        let microbit = |id: &str| boards(&[(DETAILS, &details(id))]).map(|(_, boards)| boards);
        assert_eq!(microbit("9900"), Some("microbit".to_owned()));
        assert_eq!(microbit("9904"), Some("microbit-v2".to_owned()));
        let both = Some(("MICROBIT", "microbit, microbit-v2".to_owned()));
        assert_eq!(boards(&[(PAGE, "")]), both);
        assert_eq!(boards(&[(PAGE, ""), (DETAILS, "Unique ID: 9999")]), both);
    }

    #[test]
    fn other_folders_are_no_drives() {
        for files in [
            &[][..],
            &[("README.TXT", "Board-ID: RPI-RP2")],
            &[(INFO, "Board-ID: nRF52840-Feather")],
            &[(INFO, "no key")],
            // DAPLink is on other boards, too.
            &[(DETAILS, "Unique ID: 0240000028884e45")],
        ] {
            assert_eq!(boards(files), None, "{files:?}");
        }
        assert_eq!(Drive::at(Path::new("/no/such/folder")), None);
    }
}
