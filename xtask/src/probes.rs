//! The debug probes that probe-rs finds.

use std::process::Command;

use crate::command::{ask, on_path};
use crate::ports::Usb;

/// Name of the program that talks to debug probes.
pub const PROGRAM: &str = "probe-rs";

/// Returns the debug probes, or `None` without probe-rs.
pub fn list() -> Option<Vec<Usb>> {
    let program = on_path(PROGRAM)?;
    Some(ask(Command::new(program).arg("list")).map(|text| parse(&text)).unwrap_or_default())
}

/// Reads lines such as `[0]: BBC micro:bit CMSIS-DAP -- 0d28:0204-5:9904360254974e45 (CMSIS-DAP)`: number, name,
/// vendor, product, interface if there are several, serial number if there is one, driver. Skips other lines.
fn parse(list: &str) -> Vec<Usb> {
    let probe = |line: &str| {
        let (_, rest) = line.strip_prefix('[')?.split_once("]: ")?;
        let (name, device) = rest.rsplit_once(" -- ")?;
        let mut fields = device.split_whitespace().next()?.splitn(3, ':');
        let vendor = u16::from_str_radix(fields.next()?, 16).ok()?;
        let product = u16::from_str_radix(fields.next()?.split('-').next()?, 16).ok()?;
        let serial = fields.next().filter(|serial| !serial.is_empty()).map(str::to_owned);
        Some(Usb { vendor, product, name: Some(name.trim().to_owned()), serial })
    };
    list.lines().filter_map(probe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_probe_rs_are_read() {
        let list = "The following debug probes were found:\n\
                    [0]: BBC micro:bit CMSIS-DAP -- 0d28:0204-5:9904360254974e45 (CMSIS-DAP)\n\
                    [1]: Debugprobe on Pico (CMSIS-DAP) -- 2e8a:000c:E6614103E7 (CMSIS-DAP)\n\
                    [2]: J-Link -- 1366:1015: (J-Link)\n\
                    [3]: STLink V2 -- 0483:3748 (ST-LINK)\n\
                    [4]: no numbers -- here (x)\n";
        let probe = |vendor, product, name: &str, serial: Option<&str>| Usb {
            vendor,
            product,
            name: Some(name.to_owned()),
            serial: serial.map(str::to_owned),
        };
        let expected = [
            probe(0x0d28, 0x0204, "BBC micro:bit CMSIS-DAP", Some("9904360254974e45")),
            probe(0x2e8a, 0x000c, "Debugprobe on Pico (CMSIS-DAP)", Some("E6614103E7")),
            probe(0x1366, 0x1015, "J-Link", None),
            probe(0x0483, 0x3748, "STLink V2", None),
        ];
        assert_eq!(parse(list), expected);
        assert!(parse("No debug probes were found.\n").is_empty());
    }
}
