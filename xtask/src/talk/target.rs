//! The port to connect to, before and after the board has gone, and advice where there is none.

use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use serialport::ErrorKind;

use super::link::{Event, Link};
use crate::ask;
use crate::board::Board;
use crate::ports::{self, Port, Usb};
use crate::subcommand::usage;

/// Time in which a board that was just flashed or plugged in shows its port. USB takes about a second.
const APPEARS: Duration = Duration::from_secs(5);
/// Time in which a new port gets its owner and group: Linux creates the file before udev sets them.
const SETTLES: Duration = Duration::from_secs(2);
/// Pause between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(200);

const NO_BOARD: &str = "\
no serial port of a board is there. Check:
  the cable     some USB cables only charge; take one that carries data
  the board     micro:bit, nRF52840-DK, Pico and ESP32-C3 show a port on USB; the STM32F405 needs a serial adapter
  the program   a Pico shows a port only while the console runs on it: `cargo xtask flash --board pico` (hold BOOTSEL
                while you plug it in)
  the system    in a virtual machine or container, pass the USB device on
If you know the port, name it: `cargo xtask talk --port PORT`.";

/// The port of a board.
#[derive(Debug)]
pub(super) enum Target {
    /// The user has named the port.
    Named(String),
    /// The port was found.
    Found(Port),
}

impl Target {
    /// Returns the port that the user has named, or finds the board's. Waits some seconds for a port: first for the
    /// port of `flashed`, the board that was just flashed.
    ///
    /// # Errors
    /// Returns an error if there is no port, or if there are several and no person to choose one.
    pub(super) fn choose(named: Option<String>, flashed: Option<&Board>) -> Result<Self> {
        if let Some(name) = named {
            return Ok(Self::Named(name));
        }
        let start = Instant::now();
        let mut has_said = false;
        loop {
            let ports = ports::candidates(ports::on_usb()?);
            let is_late = start.elapsed() >= APPEARS;
            let expected = |port: &&Port| flashed.is_none_or(|board| is_port_of(board, &port.usb));
            let found: Vec<&Port> =
                if is_late { ports.iter().collect() } else { ports.iter().filter(expected).collect() };
            match found[..] {
                [] if is_late => bail!(NO_BOARD),
                [] => {}
                [port] => return Ok(Self::Found(port.clone())),
                _ => return Self::ask(&found),
            }
            if !has_said {
                eprintln!("waiting for the serial port of the board ...");
                has_said = true;
            }
            thread::sleep(LOOK);
        }
    }

    fn ask(found: &[&Port]) -> Result<Self> {
        if ask::is_person_there() {
            let index = ask::choose("which port?", found)?;
            return Ok(Self::Found(found[index].clone()));
        }
        let list: String = found.iter().map(|port| format!("\n  --port {port}")).collect();
        Err(usage(format_args!("there are several serial ports: choose one{list}")))
    }

    /// Opens the port. Waits some seconds for a port that does not exist yet.
    ///
    /// # Errors
    /// Returns an error that says why the port does not open, and what to do.
    pub(super) fn open(&self, number: u32, events: &Sender<Event>) -> Result<Link> {
        let start = Instant::now();
        let name = self.name();
        loop {
            let error = match Link::open(name, number, events) {
                Ok(link) => return Ok(link),
                Err(error) => error,
            };
            let limit = if is_missing(&error) { APPEARS } else { SETTLES };
            if start.elapsed() >= limit {
                return Err(anyhow!(refusal(name, &error)));
            }
            thread::sleep(LOOK);
        }
    }

    /// Looks once for the board that has gone, and opens its port, which may have another name than before.
    pub(super) fn open_again(&mut self, number: u32, events: &Sender<Event>) -> Option<Link> {
        if let Self::Found(old) = self {
            let ports = ports::on_usb().ok()?;
            *old = same_board(old, &ports)?.clone();
        }
        Link::open(self.name(), number, events).ok()
    }

    fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Found(port) => &port.name,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Found(port) => port.fmt(f),
        }
    }
}

/// Returns whether a USB device may be the serial port of a board. The port of a chip that programs itself (UF2) is
/// that of our program; on other boards it belongs to the device that flashes.
fn is_port_of(board: &Board, usb: &Usb) -> bool {
    if board.uf2_family.is_some() {
        return usb.is_console();
    }
    board.usb.is_some_and(|id| usb.id().starts_with(id))
}

/// Returns the port of the same board: of the devices of the same product that with the same serial number, or the same
/// name, or the only one.
fn same_board<'p>(old: &Port, ports: &'p [Port]) -> Option<&'p Port> {
    let same: Vec<&Port> = ports.iter().filter(|port| port.usb.id() == old.usb.id()).collect();
    let has_serial = |port: &Port| old.usb.serial.is_some() && port.usb.serial == old.usb.serial;
    let has_name = |port: &Port| port.name == old.name;
    let find = |is: &dyn Fn(&Port) -> bool| same.iter().find(|port| is(port)).copied();
    // A device may have two ports with one serial number.
    let found = find(&|port| has_serial(port) && has_name(port)).or_else(|| find(&has_serial));
    found.or_else(|| find(&has_name)).or_else(|| if let [port] = same[..] { Some(port) } else { None })
}

fn is_missing(error: &serialport::Error) -> bool {
    error.kind() == ErrorKind::Io(std::io::ErrorKind::NotFound)
}

/// Returns why a port does not open, and what to do.
fn refusal(name: &str, error: &serialport::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::Io(std::io::ErrorKind::NotFound) => {
            "there is no such port: plug the board in, or leave out --port to find it".to_owned()
        }
        ErrorKind::Io(std::io::ErrorKind::PermissionDenied) if cfg!(unix) => {
            let group = group_of(name).unwrap_or_else(|| "dialout".to_owned());
            format!(
                "you have no permission: add yourself to the group {group} (`sudo usermod -aG {group} $USER`), log out \
                 and log in again"
            )
        }
        // Windows refuses a port that is in use like this, and Linux in the other way.
        ErrorKind::Io(std::io::ErrorKind::PermissionDenied) | ErrorKind::NoDevice => {
            "another program may use it: close other terminals, or unplug the board and plug it in again".to_owned()
        }
        _ => "is it a serial port? Leave out --port to find the board's".to_owned(),
    };
    format!("cannot open {name}: {error}; {advice}")
}

/// Returns the name of the group that owns a file, unless that is root's: then the group does not help.
#[cfg(unix)]
fn group_of(file: &str) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let id = std::fs::metadata(file).ok()?.gid();
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let is_it = |fields: &Vec<&str>| id != 0 && fields.get(2).and_then(|field| field.parse().ok()) == Some(id);
    groups.lines().map(|line| line.split(':').collect()).find(is_it).map(|fields| fields[0].to_owned())
}

#[cfg(not(unix))]
fn group_of(_file: &str) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;

    fn port(name: &str, product: u16, serial: Option<&str>) -> Port {
        let usb = Usb { vendor: 0x2e8a, product, name: None, serial: serial.map(str::to_owned) };
        Port { name: name.to_owned(), usb }
    }

    #[test]
    fn a_board_is_found_again() {
        let old = port("/dev/ttyACM0", 10, Some("a"));
        let other = port("/dev/ttyACM0", 10, Some("b"));
        let moved = port("/dev/ttyACM1", 10, Some("a"));
        let second = port("/dev/ttyACM2", 10, Some("a"));
        // The serial number is better than the name, and the name better than nothing.
        assert_eq!(same_board(&old, &[other.clone(), moved.clone()]), Some(&moved));
        assert_eq!(same_board(&old, &[second.clone(), old.clone()]), Some(&old));
        assert_eq!(same_board(&old, &[second.clone(), other.clone()]), Some(&second));
        assert_eq!(same_board(&old, std::slice::from_ref(&other)), Some(&other));
        let without = port("/dev/ttyACM5", 10, None);
        assert_eq!(same_board(&without, &[port("/dev/ttyACM6", 10, None), other.clone()]), None);
        assert_eq!(same_board(&without, std::slice::from_ref(&other)), Some(&other));
        // Another product is another device, although it has the name or is the only one.
        assert_eq!(same_board(&old, &[port("/dev/ttyACM0", 11, Some("a"))]), None);
        assert_eq!(same_board(&old, &[]), None);
    }

    #[test]
    fn the_port_of_a_flashed_board_is_known() {
        let usb =
            |vendor, product, name: Option<&str>| Usb { vendor, product, name: name.map(str::to_owned), serial: None };
        let console = usb(0x16c0, 0x27dd, Some("character model console"));
        let microbit = usb(0x0d28, 0x0204, None);
        let is = |name: &str, usb: &Usb| is_port_of(board::find(name).unwrap(), usb);
        assert!(is("pico", &console) && is("pico2-riscv", &console) && !is("pico", &microbit));
        assert!(is("microbit-v2", &microbit) && !is("esp32c3", &microbit));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let text = |kind| refusal("/dev/no-such-port", &serialport::Error::new(kind, "why"));
        assert!(text(ErrorKind::Io(std::io::ErrorKind::NotFound)).contains("there is no such port: plug the board in"));
        assert!(text(ErrorKind::NoDevice).contains("another program may use it"));
        assert!(text(ErrorKind::Unknown).starts_with("cannot open /dev/no-such-port: why; is it a serial port?"));
        #[cfg(unix)]
        assert!(text(ErrorKind::Io(std::io::ErrorKind::PermissionDenied)).contains("the group dialout (`sudo usermod"));
    }
}
