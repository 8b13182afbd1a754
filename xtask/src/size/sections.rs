//! Flash and static RAM of a program, section by section.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection, SectionFlags, elf};
use serde_json::json;

/// Sizes of a program.
#[derive(Debug, Default)]
pub struct Size {
    /// Sections that exist on the chip.
    pub sections: Vec<Section>,
}

/// A section that exists on the chip.
#[derive(Debug)]
pub struct Section {
    /// Name in the ELF file.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Memory that holds the section.
    pub place: Place,
}

/// Memory that a section takes on the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// True if the contents are stored in flash.
    pub flash: bool,
    /// True if the section takes space in RAM.
    pub ram: bool,
}

/// Returns the place of a section from the linker's flags instead of its name, so that a board's own section also
/// counts. `.text`, `.rodata`, `.vector_table` are in flash. `.data` is in RAM, with its initial contents in flash.
/// `.bss`, `.uninit` are in RAM without stored contents. The rest is for debuggers.
pub fn place(allocated: bool, writable: bool, stored: bool) -> Option<Place> {
    allocated.then_some(Place { flash: stored, ram: writable })
}

/// Reads the sections of an ELF file.
pub fn of_file(path: &Path) -> Result<Size> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    of_bytes(&bytes).with_context(|| format!("cannot read {}", path.display()))
}

fn of_bytes(bytes: &[u8]) -> Result<Size> {
    of_elf(&object::File::parse(bytes)?)
}

/// Returns the sections of a parsed ELF file.
pub fn of_elf(file: &object::File<'_>) -> Result<Size> {
    let mut size = Size::default();
    for section in file.sections() {
        if let Some(place) = place_of(&section) {
            size.sections.push(Section { name: section.name()?.to_owned(), bytes: section.size(), place });
        }
    }
    Ok(size)
}

/// Returns whether flash holds the contents of a section.
pub fn is_in_flash(section: &object::Section<'_, '_>) -> bool {
    place_of(section).is_some_and(|place| place.flash)
}

/// Returns the place of a section, or `None` if it is empty or not on the chip.
fn place_of(section: &object::Section<'_, '_>) -> Option<Place> {
    let SectionFlags::Elf { sh_flags, sh_type } = section.flags() else { return None };
    let has = |flag: elf::SectionFlags| sh_flags.contains(flag);
    let place = place(has(elf::SHF_ALLOC), has(elf::SHF_WRITE), sh_type != elf::SHT_NOBITS);
    // The linker script for RISC-V puts the unused RAM into two sections.
    let is_the_rest = matches!(section.name(), Ok(".stack" | ".heap"));
    place.filter(|_| section.size() > 0 && !is_the_rest)
}

impl Size {
    /// Returns the bytes of flash: code, constants, and initial values of variables.
    pub fn flash(&self) -> u64 {
        self.sum(|place| place.flash)
    }

    /// Returns the bytes of RAM that are taken before the program starts, without the stack.
    pub fn ram(&self) -> u64 {
        self.sum(|place| place.ram)
    }

    fn sum(&self, counts: impl Fn(Place) -> bool) -> u64 {
        self.sections.iter().filter(|section| counts(section.place)).map(|section| section.bytes).sum()
    }

    /// Returns the sizes as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let sections: Vec<_> = self
            .sections
            .iter()
            .map(|section| {
                json!({
                    "name": section.name,
                    "bytes": section.bytes,
                    "flash": section.place.flash,
                    "ram": section.place.ram,
                })
            })
            .collect();
        json!({
            "flash_bytes": self.flash(),
            "ram_bytes": self.ram(),
            "sections": sections,
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |counts: bool, bytes: u64| {
            if counts { bytes.to_string() } else { String::new() }
        };
        writeln!(f, "{:16}{:>10}{:>10}", "section", "flash", "RAM")?;
        for section in &self.sections {
            let flash = bytes(section.place.flash, section.bytes);
            let ram = bytes(section.place.ram, section.bytes);
            writeln!(f, "{:16}{flash:>10}{ram:>10}", section.name)?;
        }
        let (flash, ram) = (self.flash(), self.ram());
        writeln!(f, "{:16}{flash:>10}{ram:>10}", "total, bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_placed() {
        let flash = Place { flash: true, ram: false };
        let both = Place { flash: true, ram: true };
        let ram = Place { flash: false, ram: true };
        assert_eq!(place(true, false, true), Some(flash)); // .text
        assert_eq!(place(true, true, true), Some(both)); // .data
        assert_eq!(place(true, true, false), Some(ram)); // .bss
        assert_eq!(place(false, false, true), None); // .debug_info
    }

    #[test]
    fn totals() {
        let section =
            |name: &str, bytes, place: Option<Place>| Section { name: name.to_owned(), bytes, place: place.unwrap() };
        let size = Size {
            sections: vec![
                section(".text", 1000, place(true, false, true)),
                section(".data", 20, place(true, true, true)),
                section(".bss", 300, place(true, true, false)),
            ],
        };
        assert_eq!((size.flash(), size.ram()), (1020, 320));
        let json = size.to_json();
        assert_eq!(json["flash_bytes"], 1020);
        assert_eq!(json["sections"][2]["name"], ".bss");
        let text = size.to_string();
        assert!(text.ends_with("total, bytes          1020       320\n"), "{text}");
    }

    /// The program that runs this test is itself an ELF file.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_real_file() {
        let size = of_file(&std::env::current_exe().unwrap()).unwrap();
        assert!(size.sections.iter().any(|section| section.name == ".text"));
        assert!(!size.sections.iter().any(|section| section.name == ".debug_info"));
        assert!(size.flash() > 100_000);
        assert!(of_bytes(b"not an ELF file").is_err());
    }
}
