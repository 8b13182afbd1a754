//! Reads the budget file, `tests/budget.toml`: upper limits for the `generate` program and the console.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use crate::board;
use crate::firmware;
use crate::repo::Repo;

/// Path of the file from the repository's top.
const FILE: &str = "tests/budget.toml";

/// Name of the table of the console that is also on USB.
pub const CONSOLE_WITH_USB: &str = "console-usb";

/// Limits by name, by precision, by board. The console has one table for all boards, with its name in place of the
/// board's, and one for all boards where it is also on USB.
#[derive(Debug, Default)]
pub struct Budget(BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>);

impl Budget {
    /// Reads the file.
    pub fn read(repo: &Repo) -> Result<Self> {
        let text = fs::read_to_string(repo.root().join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
        Ok(Self(
            toml::from_str(&text).with_context(|| format!("{FILE} must hold tables [board.precision] of numbers"))?,
        ))
    }

    /// Returns the tables: `(board or program, precision)` and limits by name.
    pub fn tables(&self) -> impl Iterator<Item = ((&str, &str), &BTreeMap<String, u64>)> {
        self.0.iter().flat_map(|(name, precisions)| {
            precisions.iter().map(|(precision, numbers)| ((name.as_str(), precision.as_str()), numbers))
        })
    }

    /// Returns the tables of `generate`: board, precision, and limits by name.
    pub fn of_boards(&self) -> impl Iterator<Item = ((&str, &str), &BTreeMap<String, u64>)> {
        self.tables().filter(|((name, _), _)| board::find(name).is_ok())
    }

    /// Returns a limit of a program, if there is one.
    pub fn most(&self, bin: &str, board: &str, precision: &str, figure: &str) -> Option<u64> {
        let has_usb = bin == firmware::CONSOLE && board::find(board).is_ok_and(|board| board.usb_console);
        let name = match bin {
            firmware::DEFAULT_BIN => board,
            _ if has_usb => CONSOLE_WITH_USB,
            bin => bin,
        };
        self.0.get(name)?.get(precision)?.get(figure).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::BOARDS;

    #[test]
    fn the_file_is_read() {
        let budget = Budget::read(&Repo::find()).unwrap();
        let most = |bin, precision| budget.most(bin, "microbit", precision, "stack_bytes");
        assert!(most("generate", "int8").is_some_and(|bytes| bytes < 16 * 1024));
        assert_eq!(most("generate", "f32"), None);
        assert_eq!(most("selftest", "int8"), None);
        assert_eq!(budget.most(firmware::CONSOLE, "microbit", "int8", "flash_bytes"), Some(115 * 1024));
        assert_eq!(budget.most(firmware::CONSOLE, "pico", "int8", "flash_bytes"), Some(140 * 1024));
        assert!(budget.of_boards().count() + 2 == budget.tables().count());
        assert!(budget.tables().any(|((board, precision), _)| board == BOARDS[0].name && precision == "int4"));
    }
}
