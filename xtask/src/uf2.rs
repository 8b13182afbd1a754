//! `cargo xtask uf2`: makes a file to copy onto the USB drive that a Raspberry Pi Pico shows while its button is held.
//!
//! The format is described at <https://github.com/microsoft/uf2>: blocks of 512 bytes, each for 256 bytes of flash. The
//! published crates either write one contiguous piece or only read; a program has several segments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;

use crate::board::{self, Board};
use crate::image::Segment;
use crate::payload::{Built, Named, Payload, save};
use crate::repo::Repo;
use crate::subcommand::{self, Subcommand, usage};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "uf2",
    summary: Some("build a program as a file to copy onto the USB drive of a Pico"),
    help: "\
cargo xtask uf2 --board {uf2} [BIN] [--model FILE] [--out FILE]
  Builds a program as a file to copy onto the board's USB drive. Without BIN and FILE the program is
  console with the shipped int8 model.
cargo xtask uf2 --board {uf2} --slot FILE [--out FILE]
  Makes such a file of a model for the board's slot, the flash region where the console looks for a
  model.
cargo xtask uf2 --board {uf2} --elf FILE [--out FILE]
  Makes such a file of an ELF file, the program of another project.

  --out FILE    write to FILE instead of a file in target/uf2
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// First and last words of a block.
const MAGIC_START: [u32; 2] = [0x0a32_4655, 0x9e5d_5157];
const MAGIC_END: u32 = 0x0ab1_6f30;
/// Flag: the block contains the family's number.
const FLAG_FAMILY: u32 = 0x0000_2000;
/// Bytes of a block, and of the flash that it writes.
const BLOCK: usize = 512;
const PAYLOAD: usize = 256;
/// Value of unwritten bytes, equal to erased flash.
const ERASED: u8 = 0xff;

/// The command line.
struct Options {
    payload: Payload,
    /// Program of another project, instead of the payload.
    elf: Option<PathBuf>,
    /// Output file; `None` for one in `target/uf2`.
    out: Option<PathBuf>,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let (mut named, mut elf, mut out) = (Named::default(), None, None);
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => named.board = Some(subcommand::board(&mut args)?),
                Long("model") => named.model = Some(args.value()?.into()),
                Long("slot") => named.slot = Some(args.value()?.into()),
                Long("elf") => elf = Some(args.value()?.into()),
                Long("out") => out = Some(args.value()?.into()),
                Value(value) if named.bin.is_none() => named.bin = Some(value.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        if elf.is_some() && (named.bin.is_some() || named.model.is_some() || named.slot.is_some()) {
            return Err(usage("--elf is a finished program: leave out BIN, --model and --slot"));
        }
        Ok(Self { payload: named.payload()?, elf, out })
    }
}

/// Builds a program or model and writes the file.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let Options { payload, elf, out } = options;
    family(payload.board)?;
    let built = match elf {
        Some(elf) => Built::of_elf(repo, payload.board, elf)?,
        None => payload.build(repo)?,
    };
    let file = out.clone().unwrap_or_else(|| default_file(repo, &built.name));
    let blocks = save_as(payload.board, &built.segments, &file)?;
    println!("{}: {blocks} blocks of {PAYLOAD} bytes", repo.short(&file));
    println!("next: hold the board's button while you plug it in, then copy the file onto the drive that appears");
    Ok(ExitCode::SUCCESS)
}

/// Returns the path of the file for a payload of this name.
pub(crate) fn default_file(repo: &Repo, name: &str) -> PathBuf {
    repo.root().join(format!("target/uf2/{name}.uf2"))
}

/// Writes the file for these segments, and returns the number of its blocks.
///
/// # Errors
/// Returns an error if the board accepts no UF2 files, or if the file cannot be written.
pub fn save_as(board: &Board, segments: &[Segment], file: &Path) -> Result<usize> {
    let bytes = write(segments, family(board)?)?;
    save(file, &bytes)?;
    Ok(bytes.len() / BLOCK)
}

/// Returns the number by which the boot ROM of the board's chip recognizes its files.
fn family(board: &Board) -> Result<u32> {
    board.uf2_family.with_context(|| {
        let others = board::names(board::with_uf2());
        format!("{} accepts no UF2 files, only {others} do: use `cargo xtask flash` instead", board.name)
    })
}

/// Returns the file for these segments.
pub fn write(segments: &[Segment], family: u32) -> Result<Vec<u8>> {
    // A block writes a whole page of flash, which two segments may share.
    let mut pages = BTreeMap::<u64, [u8; PAYLOAD]>::new();
    for segment in segments {
        for (address, &byte) in (segment.address..).zip(&segment.bytes) {
            let offset = address % PAYLOAD as u64;
            pages.entry(address - offset).or_insert([ERASED; PAYLOAD])[offset as usize] = byte;
        }
    }
    ensure!(!pages.is_empty(), "there is nothing to write: the program has no segments");
    let count = u32::try_from(pages.len())?;
    let mut file = Vec::with_capacity(pages.len() * BLOCK);
    for (number, (address, payload)) in (0_u32..).zip(pages) {
        let header = [FLAG_FAMILY, u32::try_from(address)?, PAYLOAD as u32, number, count, family];
        for word in MAGIC_START.iter().chain(&header) {
            file.extend(word.to_le_bytes());
        }
        file.extend(payload);
        file.resize(file.len().next_multiple_of(BLOCK) - 4, 0);
        file.extend(MAGIC_END.to_le_bytes());
    }
    Ok(file)
}

/// Reads a file and returns the family and the contents of each block, in order. Refuses what a boot ROM would refuse.
pub fn read(file: &[u8]) -> Result<(u32, Vec<Segment>)> {
    ensure!(!file.is_empty() && file.len().is_multiple_of(BLOCK), "the file is not a whole number of blocks");
    let count = file.len() / BLOCK;
    let mut family = None;
    let mut segments = Vec::new();
    for (number, block) in file.chunks_exact(BLOCK).enumerate() {
        let word = |index: usize| u32::from_le_bytes(*block[4 * index..].first_chunk().expect("a whole block"));
        ensure!(
            [word(0), word(1)] == MAGIC_START && word(BLOCK / 4 - 1) == MAGIC_END,
            "block {number} has wrong first or last words"
        );
        ensure!(word(2) == FLAG_FAMILY && word(4) as usize == PAYLOAD, "block {number} has unexpected flags or size");
        ensure!(word(5) as usize == number && word(6) as usize == count, "block {number} says it is {}", word(5));
        ensure!(word(3).is_multiple_of(PAYLOAD as u32), "block {number} does not begin at a page");
        ensure!(*family.get_or_insert(word(7)) == word(7), "block {number} is for another family");
        segments.push(Segment { address: word(3).into(), bytes: block[32..32 + PAYLOAD].to_vec() });
    }
    Ok((family.context("the file has no block")?, segments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let slot = options(&["--board", "pico2", "--slot", "a.blob", "--out", "a.uf2"]).unwrap();
        assert_eq!((slot.payload.bin.as_str(), slot.payload.slot), ("console", Some(PathBuf::from("a.blob"))));
        assert_eq!((slot.payload.board.name, slot.out), ("pico2", Some(PathBuf::from("a.uf2"))));
        let elf = options(&["--board", "pico", "--elf", "target/names"]).unwrap();
        assert_eq!((elf.elf, elf.out), (Some(PathBuf::from("target/names")), None));
        for wrong in [
            &[][..],
            &["--elf", "a"],
            &["--board=pico", "--elf", "a", "console"],
            &["--board=pico", "--elf", "a", "--slot", "a.blob"],
            &["--board=pico", "--elf", "a", "--model", "a.blob"],
            &["--board=pico", "--slot", "a.blob", "console"],
            &["--board=pico", "one", "two"],
        ] {
            assert!(options(wrong).is_err_and(|error| subcommand::is_usage(&error)), "{wrong:?}");
        }
    }

    #[test]
    fn blocks_are_as_the_format_has_them() {
        let segments = [
            Segment { address: 0x1000_0000, bytes: vec![1; 256] },
            // The next page, which is only partly filled, and another segment in the same page.
            Segment { address: 0x1000_0100, bytes: vec![2; 10] },
            Segment { address: 0x1000_0110, bytes: vec![3; 300] },
        ];
        let file = write(&segments, 0xe48b_ff56).unwrap();
        assert_eq!(file.len(), 3 * 512);
        assert_eq!(&file[..8], b"UF2\n\x57\x51\x5d\x9e");
        assert_eq!(
            &file[8..32],
            [[0, 0x20, 0, 0], [0, 0, 0, 0x10], [0, 1, 0, 0], [0; 4], [3, 0, 0, 0], [0x56, 0xff, 0x8b, 0xe4]].concat()
        );
        assert_eq!(&file[32..288], [1; 256]);
        assert_eq!(&file[288..508], [0; 220]);
        assert_eq!(&file[508..512], [0x30, 0x6f, 0xb1, 0x0a]);
        let (family, pages) = read(&file).unwrap();
        assert_eq!(family, 0xe48b_ff56);
        assert_eq!(pages.iter().map(|page| page.address).collect::<Vec<_>>(), [0x1000_0000, 0x1000_0100, 0x1000_0200]);
        assert_eq!(pages[1].bytes[..20], [[2; 10].as_slice(), &[0xff; 6], &[3; 4]].concat());
        assert_eq!(pages[2].bytes[60..], [0xff; 196]);
        assert!(write(&[], 0).is_err());
    }

    #[test]
    fn a_broken_file_is_refused() {
        let file = write(&[Segment { address: 0, bytes: vec![0; 600] }], 1).unwrap();
        for at in [0, 8, 12, 16, 20, 24, 28, 511, 512 + 28] {
            let mut broken = file.clone();
            broken[at] ^= 1;
            assert!(read(&broken).is_err(), "byte {at}");
        }
        assert!(read(&file[..1000]).is_err() && read(&[]).is_err());
    }

    #[test]
    fn boards_without_such_a_boot_rom_are_refused() {
        assert!(family(board::find("pico2").unwrap()).is_ok());
        assert!(family(board::find("microbit-v2").unwrap()).is_err());
    }
}
