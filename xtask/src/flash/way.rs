//! The way by which a program or model comes onto a board.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, bail};

use super::flasher::chip;
use crate::board::Board;
use crate::drive::{self, Drive};
use crate::hex;
use crate::plugged::Plugged;
use crate::probes;
use crate::subcommand::usage;

/// A way onto a board.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A file on the board's USB drive.
    Drive(Drive),
    /// probe-rs, or espflash for Espressif's chips.
    Flasher,
}

/// The part of the command line that decides about the way.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Wishes<'o> {
    /// Folder of the board's drive.
    pub(super) drive: Option<&'o Path>,
    /// Options of probe-rs or espflash.
    pub(super) rest: &'o [OsString],
    /// True if only a model is written, for the slot.
    pub(super) is_slot: bool,
    /// True if the program prints through a debugger.
    pub(super) needs_debugger: bool,
}

impl Way {
    /// Returns the way onto a board: its drive if there is one, otherwise a debug probe. A micro:bit always shows a
    /// drive, which erases the slot, so that a probe comes first. `look` looks at the drives and probes.
    ///
    /// # Errors
    /// Returns an error that says what to do if there is no way.
    pub(super) fn onto(board: &Board, wishes: Wishes<'_>, look: impl FnOnce() -> Result<Plugged>) -> Result<Self> {
        chip(board)?;
        let Some(name) = board.drive else {
            return match wishes.drive {
                None => Ok(Self::Flasher),
                Some(_) => Err(usage(format_args!("{} has no USB drive: leave out --drive", board.name))),
            };
        };
        let has_probe_rs = board.flasher == Some(probes::PROGRAM);
        if wishes.drive.is_none() && has_probe_rs && (!wishes.rest.is_empty() || wishes.needs_debugger) {
            return Ok(Self::Flasher);
        }
        if let Some(option) = wishes.rest.first() {
            let option = option.to_string_lossy();
            return Err(usage(format_args!("the option {option} after -- is for probe-rs, but {name} is a drive")));
        }
        let plugged = look()?;
        let is_its_own = |drive: &&Drive| drive.boards.contains(&board);
        let mut drives = plugged.drives.iter().filter(is_its_own);
        let has_probe = has_probe_rs && plugged.probes.as_ref().is_some_and(|probes| !probes.is_empty());
        let is_uf2 = board.uf2_family.is_some();
        match (drives.next(), drives.next()) {
            (Some(one), Some(two)) if is_uf2 || !has_probe => {
                Err(usage(format_args!("there are several drives: add `--drive FOLDER`. Found {one}, {two}")))
            }
            (Some(_), None) if !is_uf2 && !has_probe && wishes.is_slot => bail!(hex::SLOT),
            (Some(drive), None) if is_uf2 || !has_probe => Ok(Self::Drive(drive.clone())),
            _ if has_probe => Ok(Self::Flasher),
            _ => bail!(nothing(board, name, &plugged)),
        }
    }
}

/// Returns what is missing for a board with a drive, and what to do.
fn nothing(board: &Board, name: &str, plugged: &Plugged) -> String {
    let mut text = plugged.mount_advice();
    let action = if board.uf2_family.is_some() { "hold its button BOOTSEL while you plug it in" } else { "plug it in" };
    text +=
        &format!("the drive {name} of a {} is not there: {action}, and wait until the drive appears.\n", board.name);
    text += &format!("Looked in {}. If it is elsewhere: --drive FOLDER.", drive::searched());
    for other in &plugged.drives {
        let name = other.boards[0].name;
        text += &format!("\nThere is a {other}: `cargo xtask flash --board {name}` writes to it.");
    }
    if board.flasher == Some(probes::PROGRAM) {
        text += match plugged.probes {
            Some(_) => "\nprobe-rs finds no debug probe either.",
            None => "\nWith a debug probe instead: `cargo install probe-rs-tools --locked`.",
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;
    use crate::ports::Usb;
    use crate::subcommand::is_usage;

    fn way(board: &str, wishes: Wishes<'_>, plugged: Plugged) -> Result<Way> {
        Way::onto(board::find(board).unwrap(), wishes, || Ok(plugged))
    }

    fn drive(folder: &str, name: &'static str, boards: &[&str]) -> Drive {
        let boards = boards.iter().map(|name| board::find(name).unwrap()).collect();
        Drive { folder: folder.into(), name, boards }
    }

    fn pico() -> Drive {
        drive("/a", "RPI-RP2", &["pico"])
    }

    fn microbit() -> Drive {
        drive("/m", "MICROBIT", &["microbit"])
    }

    fn plugged(drives: &[Drive], probes: Option<usize>) -> Plugged {
        let probe = Usb { vendor: 0x2e8a, product: 0x000c, name: None, serial: None };
        Plugged { drives: drives.to_vec(), probes: probes.map(|count| vec![probe; count]), ..Plugged::default() }
    }

    #[test]
    fn a_pico_takes_its_drive_before_a_probe() {
        let plain = Wishes::default();
        assert_eq!(way("pico", plain, plugged(&[pico()], Some(1))).unwrap(), Way::Drive(pico()));
        assert_eq!(way("pico", plain, plugged(&[microbit()], Some(1))).unwrap(), Way::Flasher);
        let slot = Wishes { is_slot: true, ..plain };
        assert_eq!(way("pico", slot, plugged(&[pico()], None)).unwrap(), Way::Drive(pico()));
        // Options are for probe-rs, and only a debugger shows this output.
        let rest = [OsString::from("--probe")];
        assert_eq!(way("pico", Wishes { rest: &rest, ..plain }, plugged(&[pico()], None)).unwrap(), Way::Flasher);
        let debug = Wishes { needs_debugger: true, ..plain };
        assert_eq!(way("pico", debug, plugged(&[pico()], Some(1))).unwrap(), Way::Flasher);
        assert!(is_usage(&way("pico2-riscv", Wishes { rest: &rest, ..plain }, plugged(&[], None)).unwrap_err()));
        let two = [pico(), drive("/b", "RPI-RP2", &["pico"])];
        let error = way("pico", plain, plugged(&two, None)).unwrap_err();
        assert!(is_usage(&error) && error.to_string().contains("drive RPI-RP2 at /b"), "{error}");
    }

    #[test]
    fn a_micro_bit_takes_a_probe_before_its_drive() {
        let plain = Wishes::default();
        assert_eq!(way("microbit", plain, plugged(&[microbit()], Some(1))).unwrap(), Way::Flasher);
        for probes in [None, Some(0)] {
            assert_eq!(way("microbit", plain, plugged(&[microbit()], probes)).unwrap(), Way::Drive(microbit()));
            let slot = Wishes { is_slot: true, ..plain };
            let error = way("microbit", slot, plugged(&[microbit()], probes)).unwrap_err().to_string();
            assert!(error.contains("use --model FILE"), "{error}");
        }
        let error = way("microbit-v2", plain, plugged(&[microbit()], None)).unwrap_err().to_string();
        assert!(error.contains("`cargo xtask flash --board microbit` writes to it"), "{error}");
    }

    #[test]
    fn without_a_way_there_is_advice() {
        let error = |board: &str, probes| way(board, Wishes::default(), plugged(&[], probes)).unwrap_err().to_string();
        let pico = error("pico", None);
        assert!(pico.contains("hold its button BOOTSEL") && pico.contains("cargo install probe-rs-tools"), "{pico}");
        assert!(error("pico2", Some(0)).contains("probe-rs finds no debug probe either"));
        let riscv = error("pico2-riscv", Some(1));
        assert!(riscv.contains("the drive RP2350") && !riscv.contains("probe"), "{riscv}");
        assert!(error("microbit", Some(0)).contains("MICROBIT of a microbit is not there: plug it in"));
    }

    #[test]
    fn other_boards_need_no_look() {
        let onto = |board: &str, drive: Option<&Path>| {
            let look = || panic!("{board} has no drive");
            Way::onto(board::find(board).unwrap(), Wishes { drive, ..Wishes::default() }, look)
        };
        assert_eq!(onto("esp32c3", None).unwrap(), Way::Flasher);
        assert_eq!(onto("nrf52840-dk", None).unwrap(), Way::Flasher);
        assert!(is_usage(&onto("nrf52840-dk", Some(Path::new("/a"))).unwrap_err()));
        assert!(onto("mps2-an386", None).unwrap_err().to_string().contains("cargo xtask qemu --board mps2-an386"));
    }
}
