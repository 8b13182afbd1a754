//! The boards that are plugged in: drives, debug probes and serial ports, and which board each belongs to.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::ask;
use crate::board::{self, Board};
use crate::drive::{self, Drive, Unmounted};
use crate::ports::{self, Usb};
use crate::probes;
use crate::subcommand::usage;

/// The places that were looked at.
#[derive(Debug, Default)]
pub struct Plugged {
    /// Drives of boards.
    pub drives: Vec<Drive>,
    /// Drives of boards that are not mounted.
    pub unmounted: Vec<Unmounted>,
    /// Debug probes; `None` without probe-rs.
    pub probes: Option<Vec<Usb>>,
    /// Devices with a serial port, and the names of their ports.
    pub ports: Vec<(String, Usb)>,
}

/// A board that may be plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    board: &'static Board,
    /// Drive, probe or port.
    place: String,
    /// True if only this board is there: a debug probe may be connected to any board.
    is_certain: bool,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.board.name, self.place)
    }
}

const NO_BOARD: &str = "\
no board is found. Plug one in with a cable that carries data:
  Pico, Pico 2   hold its button BOOTSEL meanwhile, so that a drive appears
  micro:bit      the drive MICROBIT appears
  ESP32-C3       hold its button BOOT meanwhile if the port does not appear
  nRF52840-DK    the USB port of its debugger
  STM32F405      a debug probe at its pins
If you know the board, name it: `cargo xtask flash --board NAME`. `--drive FOLDER` names its drive.
Looked at ";

impl Plugged {
    /// Looks at the drives, probes and ports of this machine, or only at one drive.
    ///
    /// # Errors
    /// Returns an error if the named folder is not the drive of a board.
    pub fn look(only: Option<&Path>) -> Result<Self> {
        if let Some(folder) = only {
            let drive = Drive::at(folder).with_context(|| {
                format!(
                    "{} is not the drive of a board: there is neither INFO_UF2.TXT of a Pico nor MICROBIT.HTM",
                    folder.display()
                )
            })?;
            return Ok(Self { drives: vec![drive], ..Self::default() });
        }
        let drives = drive::find(&drive::folders());
        // Without permission to list the ports there are still the other places.
        let ports = ports::on_usb().unwrap_or_default();
        let ports = ports.into_iter().map(|port| (port.name, port.usb)).collect();
        Ok(Self { drives, unmounted: drive::unmounted(), probes: probes::list(), ports })
    }

    /// Returns the boards that may be plugged in: only certain ones if there are any.
    fn candidates(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        for drive in &self.drives {
            // Kinds of cores of one board: the usual one. The others are flashed by name.
            let is_one_board = drive.boards.iter().all(|board| board.uf2_family.is_some());
            let boards = if is_one_board { &drive.boards[..1] } else { &drive.boards };
            let is_certain = boards.len() == 1;
            found.extend(boards.iter().map(|board| Candidate { board, place: drive.to_string(), is_certain }));
        }
        let probes = self.probes.iter().flatten().map(|usb| (format!("debug probe {}", name_of(usb)), usb));
        let ports = self.ports.iter().map(|(port, usb)| (format!("{} at {port}", name_of(usb)), usb));
        for (place, usb) in probes.chain(ports) {
            let (boards, is_certain) = boards_of(usb);
            found.extend(boards.into_iter().map(|board| Candidate { board, place: place.clone(), is_certain }));
        }
        let has_certain = found.iter().any(|candidate| candidate.is_certain);
        let mut candidates = Vec::<Candidate>::new();
        for candidate in found.into_iter().filter(|candidate| candidate.is_certain == has_certain) {
            if candidates.iter().all(|other| other.board != candidate.board) {
                candidates.push(candidate);
            }
        }
        candidates
    }

    /// Returns the board to flash: the only one that may be plugged in, or the one that a person chooses. `yes` answers
    /// the question whether to flash it.
    ///
    /// # Errors
    /// Returns an error if there is no board, or if there are several and no person to choose one.
    pub fn board(&self, yes: bool) -> Result<&'static Board> {
        let candidates = self.candidates();
        let is_person_there = ask::is_person_there();
        match &candidates[..] {
            [] => bail!("{}{NO_BOARD}{}.", self.mount_advice(), self.looked_at()),
            [only] => {
                eprintln!("found {only}");
                let cores: Vec<_> = self.drives.iter().flat_map(|drive| other_cores(drive, only.board)).collect();
                cores.iter().for_each(|other| eprintln!("for its other cores: --board {}", other.name));
                if !yes && is_person_there && !ask::yes(&format!("flash {}?", only.board.name))? {
                    bail!("nothing was flashed. Another board: `cargo xtask flash --board NAME`");
                }
                if !yes && !is_person_there && !only.is_certain {
                    return Err(usage(format_args!("the board may be another one: add --board {}", only.board.name)));
                }
                Ok(only.board)
            }
            several if is_person_there && !yes => Ok(several[ask::choose("which board?", several)?].board),
            several => {
                let list: String =
                    several.iter().map(|one| format!("\n  --board {:<14}{}", one.board.name, one.place)).collect();
                Err(usage(format_args!("there may be several boards: choose one{list}")))
            }
        }
    }

    /// Returns the searched places and the devices there, for a message.
    fn looked_at(&self) -> String {
        let probes = match self.probes.as_deref() {
            None => "no debug probes, because probe-rs is not on the PATH".to_owned(),
            Some([]) => "`probe-rs list`, which shows no debug probe".to_owned(),
            Some(probes) => format!("`probe-rs list`: {}", probes.iter().map(name_of).collect::<Vec<_>>().join(", ")),
        };
        let ports = match &self.ports[..] {
            [] => "no serial port on USB".to_owned(),
            ports => {
                let ports: Vec<_> = ports.iter().map(|(port, usb)| format!("{port} ({})", name_of(usb))).collect();
                format!("serial ports {}", ports.join(", "))
            }
        };
        format!("drives in {}; {probes}; {ports}", drive::searched())
    }

    /// Returns a line for each drive that is not mounted.
    pub fn mount_advice(&self) -> String {
        let advice = self.unmounted.iter().map(|Unmounted { name, device }| {
            format!("the drive {name} is not mounted: `udisksctl mount -b {}` mounts it\n", device.display())
        });
        advice.collect()
    }
}

/// Returns the other boards of a drive whose first is this one.
fn other_cores(drive: &Drive, board: &Board) -> Vec<&'static Board> {
    match &drive.boards[..] {
        [first, others @ ..] if *first == board && board.uf2_family.is_some() => others.to_vec(),
        _ => Vec::new(),
    }
}

fn name_of(usb: &Usb) -> String {
    format!("{} {}", usb.name.as_deref().unwrap_or("USB device"), usb.id())
}

/// Returns the boards that a USB device may flash, and whether there can be no other.
fn boards_of(usb: &Usb) -> (Vec<&'static Board>, bool) {
    let id = usb.id();
    let boards: Vec<&Board> =
        board::BOARDS.iter().filter(|board| board.usb.is_some_and(|usb| id.starts_with(usb))).collect();
    // The serial number of a micro:bit begins with its version.
    let microbit = usb.serial.as_deref().and_then(drive::microbit).filter(|microbit| boards.contains(microbit));
    match microbit {
        Some(microbit) => (vec![microbit], true),
        None => (boards, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subcommand::is_usage;

    fn usb(vendor: u16, product: u16, serial: &str) -> Usb {
        Usb { vendor, product, name: Some("device".to_owned()), serial: Some(serial.to_owned()) }
    }

    fn drive(name: &'static str, boards: &[&str]) -> Drive {
        let boards = boards.iter().map(|name| board::find(name).unwrap()).collect();
        Drive { folder: "/media/u".into(), name, boards }
    }

    fn names(plugged: &Plugged) -> Vec<(&'static str, bool)> {
        plugged.candidates().iter().map(|candidate| (candidate.board.name, candidate.is_certain)).collect()
    }

    #[test]
    fn devices_lead_to_boards() {
        let names = |usb| names(&Plugged { probes: Some(vec![usb]), ..Plugged::default() });
        assert_eq!(names(usb(0x0d28, 0x0204, "9900abc")), [("microbit", true)]);
        assert_eq!(names(usb(0x0d28, 0x0204, "9904abc")), [("microbit-v2", true)]);
        assert_eq!(names(usb(0x0d28, 0x0204, "")), [("microbit", false), ("microbit-v2", false)]);
        assert_eq!(names(usb(0x2e8a, 0x000c, "")), [("pico", false), ("pico2", false)]);
        assert_eq!(names(usb(0x1366, 0x1015, "9904")), [("nrf52840-dk", false)]);
        assert_eq!(
            names(usb(0x0483, 0x374b, "")),
            [
                ("netduinoplus2", false),
                ("nucleo-f446re", false),
                ("nucleo-g071rb", false),
                ("nucleo-h743zi", false),
                ("b-l475e-iot01a", false),
            ]
        );
        assert_eq!(names(usb(0x303a, 0x1001, "")), [("esp32c3", false)]);
        // A serial port of a program, and an adapter.
        assert!(names(usb(0x0483, 0x5740, "")).is_empty() && names(usb(0x10c4, 0xea60, "")).is_empty());
    }

    #[test]
    fn one_board_at_several_places_is_one() {
        let microbit = usb(0x0d28, 0x0204, "9904");
        let plugged = Plugged {
            drives: vec![drive("MICROBIT", &["microbit-v2"])],
            probes: Some(vec![microbit.clone()]),
            ports: vec![("/dev/ttyACM0".to_owned(), microbit)],
            ..Plugged::default()
        };
        assert_eq!(names(&plugged), [("microbit-v2", true)]);
        assert_eq!(plugged.candidates()[0].to_string(), "microbit-v2 (drive MICROBIT at /media/u)");
    }

    #[test]
    fn a_drive_is_better_than_a_probe() {
        let probes = Some(vec![usb(0x2e8a, 0x000c, "")]);
        let plugged =
            Plugged { drives: vec![drive("RP2350", &["pico2", "pico2-riscv"])], probes, ..Plugged::default() };
        assert_eq!(names(&plugged), [("pico2", true)]);
        assert_eq!(other_cores(&plugged.drives[0], board::find("pico2").unwrap())[0].name, "pico2-riscv");
        let both = Plugged { drives: vec![drive("MICROBIT", &["microbit", "microbit-v2"])], ..Plugged::default() };
        assert_eq!(names(&both), [("microbit", false), ("microbit-v2", false)]);
        assert!(other_cores(&both.drives[0], board::find("microbit").unwrap()).is_empty());
    }

    #[test]
    fn without_a_choice_there_is_a_board_or_advice() {
        let certain = Plugged { drives: vec![drive("RPI-RP2", &["pico"])], ..Plugged::default() };
        assert_eq!(certain.board(true).unwrap().name, "pico");
        let several = Plugged {
            drives: vec![drive("RPI-RP2", &["pico"]), drive("MICROBIT", &["microbit"])],
            ..Plugged::default()
        };
        let error = several.board(true).unwrap_err();
        assert!(is_usage(&error) && error.to_string().contains("\n  --board microbit      drive MICROBIT"), "{error}");
        let unmounted = vec![Unmounted { name: "RPI-RP2", device: "/dev/sda1".into() }];
        let error = Plugged { unmounted, ..Plugged::default() }.board(true).unwrap_err().to_string();
        assert!(error.starts_with("the drive RPI-RP2 is not mounted: `udisksctl mount -b /dev/sda1`"), "{error}");
        assert!(error.contains("hold its button BOOTSEL"), "{error}");
        assert!(error.ends_with("because probe-rs is not on the PATH; no serial port on USB."), "{error}");
        let (probes, ports) = (Some(Vec::new()), vec![("COM3".to_owned(), usb(0x10c4, 0xea60, ""))]);
        let error = Plugged { probes, ports, ..Plugged::default() }.board(true).unwrap_err().to_string();
        assert!(error.ends_with("which shows no debug probe; serial ports COM3 (device 10c4:ea60)."), "{error}");
    }

    #[test]
    fn only_a_drive_is_accepted_as_one() {
        let error = Plugged::look(Some(Path::new("/no/such/folder"))).unwrap_err().to_string();
        assert!(error.starts_with("/no/such/folder is not the drive of a board"), "{error}");
    }
}
