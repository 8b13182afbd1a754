//! The payload of `flash` and `uf2`: a program, or a model for the slot.

use std::path::PathBuf;

use anyhow::Result;

use crate::board::Board;
use crate::firmware;
use crate::subcommand::usage;

/// Options of both subcommands, as far as the command line names them.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) board: Option<&'static Board>,
    pub(crate) bin: Option<String>,
    pub(crate) model: Option<PathBuf>,
    pub(crate) slot: Option<PathBuf>,
}

/// A program, or a model for the slot, and the board that it is for.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) board: &'static Board,
    pub(crate) bin: String,
    /// The program's model; else the shipped one that suits it.
    pub(crate) model: Option<PathBuf>,
    /// A model for the board's slot, instead of a program.
    pub(crate) slot: Option<PathBuf>,
}

impl Named {
    /// Checks that the options go together. The program is the console unless another is named.
    ///
    /// # Errors
    /// No board, or a slot and a program.
    pub(crate) fn payload(self) -> Result<Payload> {
        let Self { board, bin, model, slot } = self;
        if slot.is_some() && (bin.is_some() || model.is_some()) {
            return Err(usage("--slot writes only a model: no program, no --model"));
        }
        let board = board.ok_or_else(|| usage("which board? --board NAME"))?;
        let bin = bin.unwrap_or_else(|| firmware::CONSOLE.to_owned());
        Ok(Payload { board, bin, model, slot })
    }
}
