//! Reads the payload of `flash` and `uf2`: a program, or a model for the slot.

use std::path::PathBuf;

use anyhow::Result;

use crate::board::Board;
use crate::firmware;
use crate::subcommand::usage;

/// Options of both subcommands that the command line names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) board: Option<&'static Board>,
    pub(crate) bin: Option<String>,
    pub(crate) model: Option<PathBuf>,
    pub(crate) slot: Option<PathBuf>,
}

/// A program, or a model for the slot, with its board.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) board: &'static Board,
    pub(crate) bin: String,
    /// Model of the program; `None` for the shipped one that suits the program.
    pub(crate) model: Option<PathBuf>,
    /// Model for the board's slot, instead of a program.
    pub(crate) slot: Option<PathBuf>,
}

impl Named {
    /// Checks that the options go together. The default program is the console.
    ///
    /// # Errors
    /// Returns an error if there is no board, or both a slot and a program.
    pub(crate) fn payload(self) -> Result<Payload> {
        let Self { board, bin, model, slot } = self;
        if slot.is_some() && (bin.is_some() || model.is_some()) {
            return Err(usage("--slot writes only a model: leave out BIN and --model"));
        }
        let board = board.ok_or_else(|| usage("no board is named: add --board NAME"))?;
        let bin = bin.unwrap_or_else(|| firmware::CONSOLE.to_owned());
        Ok(Payload { board, bin, model, slot })
    }
}
