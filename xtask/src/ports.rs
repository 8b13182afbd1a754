//! Serial ports on USB, and which of them is a board's.

use std::fmt;

use anyhow::{Context, Result};
use serialport::{SerialPortInfo, SerialPortType};

/// Vendor and product number of a serial port, from V-USB's list of numbers that programs share. Only the product's
/// name identifies ours.
const SHARED: (u16, u16) = (0x16c0, 0x27dd);
/// Product's name of the console on a board's own USB port.
const CONSOLE: &str = "character model console";

/// Vendors of boards, of debug probes with a serial port, and of USB-to-serial adapters.
const VENDORS: [(u16, &str); 9] = [
    (0x2e8a, "Raspberry Pi"),
    (0x0d28, "Arm DAPLink, as on a micro:bit"),
    (0x1366, "SEGGER J-Link, as on an nRF52840-DK"),
    (0x0483, "STMicroelectronics ST-Link"),
    (0x303a, "Espressif"),
    (0x10c4, "USB-to-serial adapter CP210x"),
    (0x1a86, "USB-to-serial adapter CH340"),
    (0x0403, "USB-to-serial adapter FTDI"),
    (0x067b, "USB-to-serial adapter PL2303"),
];

/// A USB device, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usb {
    /// Number of the vendor.
    pub vendor: u16,
    /// Number of the product, unique for its vendor.
    pub product: u16,
    /// Name of the product.
    pub name: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
}

impl Usb {
    /// Returns `vendor:product` in hexadecimal.
    pub fn id(&self) -> String {
        format!("{:04x}:{:04x}", self.vendor, self.product)
    }

    /// Returns whether the device is our console on a board's own USB port.
    pub fn is_console(&self) -> bool {
        (self.vendor, self.product) == SHARED && self.name.as_deref() == Some(CONSOLE)
    }
}

/// Likelihood that a port is a board's, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The console itself names the port.
    Console,
    /// The vendor makes boards, probes or adapters.
    Known,
    Unknown,
}

/// A serial port on USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Name by which the port is opened: `/dev/ttyACM0`, `COM3`.
    pub name: String,
    /// The device at the port.
    pub usb: Usb,
}

impl Port {
    fn rank(&self) -> Rank {
        if self.usb.is_console() {
            Rank::Console
        } else if VENDORS.iter().any(|(known, _)| *known == self.usb.vendor) {
            Rank::Known
        } else {
            Rank::Unknown
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vendor = VENDORS.iter().find(|(vendor, _)| *vendor == self.usb.vendor).map(|(_, name)| *name);
        let name = self.usb.name.as_deref().filter(|name| !name.is_empty()).or(vendor).unwrap_or("unknown USB device");
        write!(f, "{} ({name}, {})", self.name, self.usb.id())
    }
}

/// Returns the serial ports on USB, the most likely board first.
///
/// # Errors
/// Returns an error if the operating system does not list them.
pub fn on_usb() -> Result<Vec<Port>> {
    // serialport panics without this folder, which some containers lack.
    if cfg!(target_os = "linux") && !std::path::Path::new("/sys/class/tty").is_dir() {
        return Ok(Vec::new());
    }
    let ports = serialport::available_ports().context("the operating system does not list its serial ports")?;
    Ok(sorted(ports))
}

fn sorted(ports: Vec<SerialPortInfo>) -> Vec<Port> {
    let mut ports: Vec<Port> = ports.into_iter().filter_map(port).collect();
    ports.sort_by_key(|port| (port.rank(), port.name.clone()));
    ports
}

fn port(info: SerialPortInfo) -> Option<Port> {
    let SerialPortInfo { port_name: name, port_type: SerialPortType::UsbPort(usb) } = info else { return None };
    // macOS has two files for a port. The one that begins with `tty` waits for a modem's carrier.
    if name.starts_with("/dev/tty.") {
        return None;
    }
    Some(Port { name, usb: Usb { vendor: usb.vid, product: usb.pid, name: usb.product, serial: usb.serial_number } })
}

/// Returns the ports that may be the board's: the console if one names itself, otherwise those of known vendors,
/// otherwise all.
pub fn candidates(mut ports: Vec<Port>) -> Vec<Port> {
    let Some(best) = ports.iter().map(Port::rank).min() else { return ports };
    ports.retain(|port| port.rank() == best);
    ports
}

#[cfg(test)]
mod tests {
    use super::*;
    use serialport::UsbPortInfo;

    fn info(name: &str, vid: u16, pid: u16, product: &str) -> SerialPortInfo {
        let usb = UsbPortInfo {
            vid,
            pid,
            serial_number: Some("1".to_owned()),
            manufacturer: None,
            product: Some(product.to_owned()).filter(|name| !name.is_empty()),
        };
        SerialPortInfo { port_name: name.to_owned(), port_type: SerialPortType::UsbPort(usb) }
    }

    fn names(ports: &[Port]) -> Vec<&str> {
        ports.iter().map(|port| port.name.as_str()).collect()
    }

    #[test]
    fn boards_come_before_other_devices() {
        let modem = SerialPortInfo { port_name: "/dev/ttyS0".to_owned(), port_type: SerialPortType::PciPort };
        let phone = || info("/dev/ttyACM0", 0x1234, 0x5678, "Phone");
        let shared = || info("/dev/ttyACM1", 0x16c0, 0x27dd, "Another program");
        let microbit = || info("/dev/ttyACM3", 0x0d28, 0x0204, "BBC micro:bit CMSIS-DAP");
        let adapter = || info("/dev/ttyUSB0", 0x1a86, 0x7523, "");
        let console = info("/dev/ttyACM2", 0x16c0, 0x27dd, CONSOLE);
        let mac = info("/dev/tty.usbmodem1", 0x2e8a, 0x000a, "Pico");

        let all = sorted(vec![modem, phone(), shared(), microbit(), adapter(), console, mac]);
        assert_eq!(names(&all), ["/dev/ttyACM2", "/dev/ttyACM3", "/dev/ttyUSB0", "/dev/ttyACM0", "/dev/ttyACM1"]);
        assert_eq!(names(&candidates(all)), ["/dev/ttyACM2"]);
        let without_console = sorted(vec![phone(), microbit(), adapter()]);
        assert_eq!(names(&candidates(without_console)), ["/dev/ttyACM3", "/dev/ttyUSB0"]);
        assert_eq!(names(&candidates(sorted(vec![shared(), phone()]))), ["/dev/ttyACM0", "/dev/ttyACM1"]);
        assert!(candidates(Vec::new()).is_empty());
    }

    #[test]
    fn a_port_is_described_by_its_device() {
        let text = |info| port(info).unwrap().to_string();
        assert_eq!(
            text(info("/dev/ttyACM3", 0x0d28, 0x0204, "BBC micro:bit")),
            "/dev/ttyACM3 (BBC micro:bit, 0d28:0204)"
        );
        assert_eq!(text(info("COM3", 0x1a86, 0x7523, "")), "COM3 (USB-to-serial adapter CH340, 1a86:7523)");
        assert_eq!(text(info("COM4", 0x1111, 0x2222, "")), "COM4 (unknown USB device, 1111:2222)");
    }

    /// The list differs from machine to machine; on one without `/sys/class/tty` it must be empty, too.
    #[test]
    fn the_machine_lists_its_ports() {
        on_usb().unwrap();
    }
}
