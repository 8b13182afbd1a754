//! Reads the memory map of a board from its linker script, `firmware-example/memory/<board>.x`.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use anyhow::{Context, Result, ensure};

use crate::board::Board;
use crate::repo::Repo;

/// The regions of a board's memory, by name: `FLASH`, `RAM`, ...
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryMap {
    regions: BTreeMap<String, Range<u64>>,
}

impl MemoryMap {
    /// Reads the memory map of a board.
    pub fn read(repo: &Repo, board: &Board) -> Result<Self> {
        let file = repo.firmware().join(format!("memory/{}.x", board.name));
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", repo.short(&file)))?;
        Self::parse(&text).with_context(|| format!("in {}", repo.short(&file)))
    }

    /// Parses lines of the form `NAME : ORIGIN = NUMBER, LENGTH = NUMBER`; a number may be a sum or difference. All
    /// other lines, including comments, are only for the linker.
    fn parse(text: &str) -> Result<Self> {
        let mut regions = BTreeMap::new();
        for line in text.lines() {
            let Some((name, rest)) = line.split_once(':') else { continue };
            let Some((origin, length)) = rest.split_once(',') else { continue };
            let (Some(origin), Some(length)) = (value(origin, "ORIGIN"), value(length, "LENGTH")) else { continue };
            // A region may have attributes: `FLASH (rx) : ...`.
            let name = name.split_whitespace().next().context("a region has no name")?;
            let number = |text| sum(text).with_context(|| format!("`{text}` is not a size"));
            let origin = number(origin)?;
            regions.insert(name.to_owned(), origin..origin + number(length)?);
        }
        ensure!(
            regions.contains_key("FLASH") && regions.contains_key("RAM"),
            "the memory map must have the regions FLASH and RAM"
        );
        Ok(Self { regions })
    }

    /// Returns a region by its name.
    pub fn region(&self, name: &str) -> Option<Range<u64>> {
        self.regions.get(name).cloned()
    }

    /// Returns the flash that programs are linked into. On some chips, tables before it are also part of a program.
    pub fn flash(&self) -> Range<u64> {
        self.regions["FLASH"].clone()
    }

    /// Returns the RAM.
    pub fn ram(&self) -> Range<u64> {
        self.regions["RAM"].clone()
    }
}

/// Returns the text after `KEY =`, without a comment.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = text.trim().strip_prefix(key)?.trim_start().strip_prefix('=')?;
    Some(rest.split("/*").next().unwrap_or(rest).trim())
}

/// Evaluates a number, or a sum or difference of numbers.
fn sum(text: &str) -> Option<u64> {
    let mut total = 0;
    let mut negative = false;
    for part in text.split_inclusive(['+', '-']) {
        let term = number(part.trim_end_matches(['+', '-']).trim())?;
        total = if negative { u64::checked_sub(total, term)? } else { total + term };
        negative = part.ends_with('-');
    }
    Some(total)
}

/// Reads a number: `0x20000000`, `256K`, `4M`, `256`.
fn number(text: &str) -> Option<u64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1 << 10),
        b'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    Some(digits.parse::<u64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::BOARDS;

    #[test]
    fn regions_are_read() {
        let text = "/* BOOT2 : a comment, with a colon */\nMEMORY\n{\n  BOOT2 : ORIGIN = 0x10000000, LENGTH = 0x100\n\
                    FLASH (rx) : ORIGIN = 0x10000000 + 256, LENGTH = 2M - 0x100 - 4K /* the rest */\n\
                    RAM:ORIGIN=0x20000000,LENGTH=16K\n}\n";
        let map = MemoryMap::parse(text).unwrap();
        assert_eq!(map.flash(), 0x1000_0100..0x101f_f000);
        assert_eq!(map.ram(), 0x2000_0000..0x2000_4000);
        assert_eq!(map.region("BOOT2"), Some(0x1000_0000..0x1000_0100));
        assert_eq!(map.region("SLOT"), None);
        assert!(MemoryMap::parse("MEMORY {}").is_err());
    }

    #[test]
    fn every_board_has_one() {
        for board in BOARDS.iter() {
            let map = MemoryMap::read(&Repo::find(), board).unwrap();
            assert!(map.flash().end > map.flash().start && map.ram().end > map.ram().start, "{}", board.name);
        }
    }
}
