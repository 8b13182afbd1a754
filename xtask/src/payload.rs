//! The payload of `flash`, `uf2` and `hex`: a program, or a model for the slot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::board::Board;
use crate::firmware;
use crate::image::{Image, Segment};
use crate::memory::MemoryMap;
use crate::repo::Repo;
use crate::slot;
use crate::subcommand::usage;

/// Options of these subcommands that the command line names.
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
        self.check()?;
        let board = self.board.ok_or_else(|| usage("no board is named: add --board NAME"))?;
        Ok(self.for_board(board))
    }

    /// Checks that the options go together, whatever the board is.
    ///
    /// # Errors
    /// Returns an error if there are both a slot and a program.
    pub(crate) fn check(&self) -> Result<()> {
        if self.slot.is_some() && (self.bin.is_some() || self.model.is_some()) {
            return Err(usage("--slot writes only a model: leave out BIN and --model"));
        }
        Ok(())
    }

    /// Returns the payload for a board. The default program is the console.
    pub(crate) fn for_board(self, board: &'static Board) -> Payload {
        let bin = self.bin.unwrap_or_else(|| firmware::CONSOLE.to_owned());
        Payload { board, bin, model: self.model, slot: self.slot }
    }
}

/// A payload that is ready for a file.
#[derive(Debug)]
pub(crate) struct Built {
    /// Name of the file, without its ending.
    pub(crate) name: String,
    pub(crate) segments: Vec<Segment>,
    /// True if the program prints through a debugger and stops without one.
    needs_debugger: bool,
}

impl Payload {
    /// Builds the program, or converts the model for the slot, and checks that it fits the board.
    ///
    /// # Errors
    /// Returns an error if the build fails, or if the board could not start the program or has no such slot.
    pub(crate) fn build(&self, repo: &Repo) -> Result<Built> {
        let Self { board, bin, model, slot } = self;
        if let Some(slot) = slot {
            let (address, bytes) = slot::model_for(board, &MemoryMap::read(repo, board)?, slot)?;
            let segments = vec![Segment { address, bytes }];
            return Ok(Built { name: format!("slot-{}", board.name), segments, needs_debugger: false });
        }
        Built::of_program(repo, &firmware::build(repo, board, bin, model.as_deref())?, bin)
    }
}

impl Built {
    /// Reads a built program, and checks that the board could start it.
    ///
    /// # Errors
    /// Returns an error if the file is no program of this firmware, or if the board could not start it.
    pub(crate) fn of_program(repo: &Repo, elf: &Path, bin: &str) -> Result<Self> {
        Self::of_image(repo, Image::read(elf)?, bin)
    }

    /// Reads a program of another project, and checks that the board could start it.
    ///
    /// # Errors
    /// Returns an error if the file is no program, or if the board could not start it.
    pub(crate) fn of_elf(repo: &Repo, board: &'static Board, elf: &Path) -> Result<Self> {
        let image = Image::read_for(board, elf)?;
        let name = elf.file_stem().context("the ELF file has no name")?.to_string_lossy();
        Self::of_image(repo, image, &name)
    }

    fn of_image(repo: &Repo, image: Image, name: &str) -> Result<Self> {
        // After flashing, it would be too late for this check.
        image.check(&MemoryMap::read(repo, image.board)?).context("the chip would not start this program")?;
        let needs_debugger = image.semihosting_calls > 0;
        Ok(Self { name: format!("{name}-{}", image.board.name), segments: image.segments, needs_debugger })
    }

    /// Checks that the payload works without a debugger.
    ///
    /// # Errors
    /// Returns an error for a program that would stop at its first line.
    pub(crate) fn runs_alone(&self) -> Result<()> {
        ensure!(
            !self.needs_debugger,
            "{} would stop at its first line: it prints through a debugger, which a USB drive is not. Use `console`",
            self.name
        );
        Ok(())
    }
}

/// Writes a file and the folders that lead to it.
///
/// # Errors
/// Returns an error that names the folder or file.
pub(crate) fn save(out: &Path, file: &[u8]) -> Result<()> {
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(out, file).with_context(|| format!("cannot write {}", out.display()))
}
