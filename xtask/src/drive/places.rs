//! The folders where operating systems mount drives.

use std::fs;
use std::path::{Path, PathBuf};

use crate::board::BOARDS;

/// Folders in which desktops mount drives, at most two folders deep.
const PARENTS: [(&str, usize); 4] = [("/media", 2), ("/run/media", 2), ("/mnt", 1), ("/Volumes", 1)];
/// File in which Linux lists its mounts: device, folder, file system.
const MOUNTS: &str = "/proc/self/mounts";
/// Folder of Linux with a link for the label of each drive, mounted or not.
const LABELS: &str = "/dev/disk/by-label";

/// A drive that is plugged in but not mounted.
#[derive(Debug, PartialEq, Eq)]
pub struct Unmounted {
    /// Name of the drive.
    pub name: &'static str,
    /// Its device, such as `/dev/sda1`.
    pub device: PathBuf,
}

/// Returns the folders that may be a board's drive.
pub fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = mounts().into_iter().map(|(_, folder)| folder).collect();
    PARENTS.iter().for_each(|(parent, depth)| folders.extend(below(Path::new(parent), *depth)));
    if cfg!(windows) {
        // A and B are floppy disks, C is the system's.
        folders.extend(('D'..='Z').map(|letter| PathBuf::from(format!("{letter}:\\"))));
    }
    let mut unique = Vec::new();
    folders.into_iter().for_each(|folder| {
        if !unique.contains(&folder) {
            unique.push(folder);
        }
    });
    unique
}

/// Returns the list of these folders for a message.
pub fn searched() -> &'static str {
    if cfg!(windows) {
        "the drives D: to Z:"
    } else if cfg!(target_os = "macos") {
        "/Volumes"
    } else {
        "/media, /run/media, /mnt and the mounted FAT file systems"
    }
}

/// Returns the folders in a folder, and those in them.
fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    if depth > 1 {
        let deeper: Vec<PathBuf> = folders.iter().flat_map(|folder| below(folder, depth - 1)).collect();
        folders.extend(deeper);
    }
    folders
}

/// Returns the mounted FAT file systems of Linux: device and folder. Other systems have no such list.
fn mounts() -> Vec<(PathBuf, PathBuf)> {
    fs::read_to_string(MOUNTS).map(|text| parse(&text)).unwrap_or_default()
}

fn parse(mounts: &str) -> Vec<(PathBuf, PathBuf)> {
    let mount = |line: &str| {
        let mut fields = line.split(' ');
        let (device, folder, kind) = (fields.next()?, fields.next()?, fields.next()?);
        ["vfat", "msdos"].contains(&kind).then(|| (unescaped(device), unescaped(folder)))
    };
    mounts.lines().filter_map(mount).collect()
}

/// Replaces the escapes of a blank and of other characters: a backslash and three octal digits.
fn unescaped(field: &str) -> PathBuf {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let character = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match character {
            Some(character) => text.extend([char::from(character).to_string().as_str(), &part[3..]]),
            None => text.extend(["\\", part]),
        }
    }
    PathBuf::from(text)
}

/// Returns the device of a mounted drive, on Linux.
pub(super) fn device_of(folder: &Path) -> Option<PathBuf> {
    mounts().into_iter().find(|(_, mounted)| mounted == folder).map(|(device, _)| device)
}

/// Returns the boards' drives that Linux knows but has not mounted.
pub fn unmounted() -> Vec<Unmounted> {
    not_mounted(Path::new(LABELS), &mounts())
}

fn not_mounted(labels: &Path, mounts: &[(PathBuf, PathBuf)]) -> Vec<Unmounted> {
    let mut names: Vec<&'static str> = BOARDS.iter().filter_map(|board| board.drive).collect();
    names.sort_unstable();
    names.dedup();
    let drive = |name: &'static str| {
        let device = labels.join(name).canonicalize().ok()?;
        let is_mounted = mounts.iter().any(|(mounted, _)| *mounted == device);
        (!is_mounted).then_some(Unmounted { name, device })
    };
    names.into_iter().filter_map(drive).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::folder;
    use super::*;

    #[test]
    fn mounted_drives_are_read_from_the_list() {
        let list = "proc /proc proc rw 0 0\n/dev/sda1 /media/u/RPI-RP2 vfat rw,flush 0 0\n\
                    /dev/sdb1 /mnt/my\\040drive vfat rw 0 0\n/dev/sdc /media/u/DATA ext4 rw 0 0\nbroken\n";
        let expected = [("/dev/sda1", "/media/u/RPI-RP2"), ("/dev/sdb1", "/mnt/my drive")];
        assert_eq!(parse(list), expected.map(|(device, folder)| (device.into(), folder.into())));
        assert_eq!(unescaped(r"a\134b\c"), PathBuf::from(r"a\b\c"));
    }

    #[cfg(unix)]
    #[test]
    fn a_drive_that_is_not_mounted_is_found() {
        let labels = folder("labels", &[("sda1", ""), ("sdb1", "")]);
        let device = |name: &str| labels.join(name).canonicalize().unwrap();
        std::os::unix::fs::symlink(device("sda1"), labels.join("RPI-RP2")).unwrap();
        std::os::unix::fs::symlink(device("sdb1"), labels.join("MICROBIT")).unwrap();
        let mounts = [(device("sdb1"), PathBuf::from("/media/u/MICROBIT"))];
        assert_eq!(not_mounted(&labels, &mounts), [Unmounted { name: "RPI-RP2", device: device("sda1") }]);
        fs::remove_dir_all(labels).unwrap();
    }

    #[test]
    fn folders_are_searched_two_deep() {
        let parent = folder("parent", &[("file", "")]);
        fs::create_dir_all(parent.join("user/RPI-RP2/deep")).unwrap();
        let mut found = below(&parent, 2);
        found.sort();
        assert_eq!(found, [parent.join("user"), parent.join("user/RPI-RP2")]);
        fs::remove_dir_all(parent).unwrap();
        assert!(below(Path::new("/no/such/folder"), 2).is_empty());
    }
}
