//! `cargo xtask hex`: makes a file to copy onto the USB drive that a micro:bit shows.
//!
//! The format is Intel HEX: lines of up to 16 bytes with their address and a checksum. The board's interface chip
//! (DAPLink) erases the whole flash before it writes, so that a file always contains a program.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use ihex::Record;
use lexopt::prelude::*;

use crate::board::{self, Board};
use crate::image::Segment;
use crate::payload::{Named, Payload, save};
use crate::repo::Repo;
use crate::subcommand::{self, Subcommand, usage};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "hex",
    summary: Some("build a program as a file to copy onto the USB drive of a micro:bit"),
    help: "\
cargo xtask hex --board {hex} [BIN] [--model FILE] [--out FILE]
  Builds a program as an Intel HEX file to copy onto the board's drive MICROBIT. Without BIN and
  FILE the program is console with the shipped int8 model. Needs neither a board nor a debug probe.

  --out FILE    write to FILE instead of a file in target/hex
",
    run: |args| run(&Repo::find(), &Options::parse(args)?),
};

/// Bytes in a line, as most programs write them.
const LINE: u64 = 16;
/// Addresses that a line can name; a line of its own sets the bits above them.
const PAGE: u64 = 1 << 16;

/// The command line.
struct Options {
    payload: Payload,
    /// Output file; `None` for one in `target/hex`.
    out: Option<PathBuf>,
}

impl Options {
    fn parse(mut args: lexopt::Parser) -> Result<Self> {
        let (mut named, mut out) = (Named::default(), None);
        while let Some(arg) = args.next()? {
            match arg {
                Long("board") => named.board = Some(subcommand::board(&mut args)?),
                Long("model") => named.model = Some(args.value()?.into()),
                Long("out") => out = Some(args.value()?.into()),
                Long("slot") => return Err(usage(SLOT)),
                Value(value) if named.bin.is_none() => named.bin = Some(value.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Self { payload: named.payload()?, out })
    }
}

/// Error for a model without a program, which the drive would erase.
pub const SLOT: &str = "the drive MICROBIT erases the program before it writes a file, so that a model cannot be written \
                        without one: use --model FILE, which builds both, or probe-rs";

/// Builds a program and writes the file.
fn run(repo: &Repo, options: &Options) -> Result<ExitCode> {
    let Options { payload, out } = options;
    accepts(payload.board)?;
    let built = payload.build(repo)?;
    built.runs_alone()?;
    let out = out.clone().unwrap_or_else(|| repo.root().join(format!("target/hex/{}.hex", built.name)));
    save(&out, write(&built.segments)?.as_bytes())?;
    let bytes: usize = built.segments.iter().map(|segment| segment.bytes.len()).sum();
    println!("{}: {bytes} bytes of flash", repo.short(&out));
    println!("next: copy the file onto the drive MICROBIT, which the board shows, then run `cargo xtask talk`");
    Ok(ExitCode::SUCCESS)
}

/// Checks that the board's drive accepts Intel HEX files.
fn accepts(board: &Board) -> Result<()> {
    if board::with_hex().any(|other| other == board) {
        return Ok(());
    }
    let others = board::names(board::with_hex());
    let instead = if board.uf2_family.is_some() { "uf2" } else { "flash" };
    bail!("{} has no drive for HEX files, only {others} have: use `cargo xtask {instead} --board {0}`", board.name)
}

/// Returns the file for these segments.
///
/// # Errors
/// Returns an error if there is nothing to write, or for an address of more than 32 bits.
pub fn write(segments: &[Segment]) -> Result<String> {
    let mut records = Vec::new();
    let mut page = None;
    for Segment { address, bytes } in segments {
        let (mut at, mut rest) = (*address, &bytes[..]);
        while !rest.is_empty() {
            if page != Some(at / PAGE) {
                page = Some(at / PAGE);
                let upper = u16::try_from(at / PAGE).with_context(|| format!("{at:#x} is no address of 32 bits"))?;
                records.push(Record::ExtendedLinearAddress(upper));
            }
            // Lines begin at multiples of 16, so that none crosses a page.
            let (line, more) = rest.split_at(rest.len().min((LINE - at % LINE) as usize));
            records.push(Record::Data { offset: (at % PAGE) as u16, value: line.to_vec() });
            (at, rest) = (at + line.len() as u64, more);
        }
    }
    ensure!(!records.is_empty(), "there is nothing to write: the program has no segments");
    records.push(Record::EndOfFile);
    Ok(ihex::create_object_file_representation(&records)?)
}

/// Reads a file and returns its segments, with adjacent lines joined.
///
/// # Errors
/// Returns an error for a line that is damaged or of another kind, and for a file without an end.
pub fn read(file: &str) -> Result<Vec<Segment>> {
    let mut segments = Vec::<Segment>::new();
    let (mut upper, mut has_ended) = (0, false);
    for record in ihex::Reader::new(file) {
        match record? {
            Record::ExtendedLinearAddress(bits) => upper = u64::from(bits) * PAGE,
            Record::Data { offset, value } => {
                let address = upper + u64::from(offset);
                match segments.last_mut() {
                    Some(last) if last.address + last.bytes.len() as u64 == address => last.bytes.extend(value),
                    _ => segments.push(Segment { address, bytes: value }),
                }
            }
            Record::EndOfFile => has_ended = true,
            other => bail!("unexpected line {other:?}"),
        }
    }
    ensure!(has_ended, "the file has no end");
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        let some = options(&["--board", "microbit", "--model", "a.blob", "--out", "a.hex"]).unwrap();
        assert_eq!((some.payload.bin.as_str(), some.payload.model), ("console", Some(PathBuf::from("a.blob"))));
        assert_eq!((some.payload.board.name, some.out), ("microbit", Some(PathBuf::from("a.hex"))));
        for wrong in [&[][..], &["--board=microbit", "--slot", "a.blob"], &["--board=microbit", "one", "two"]] {
            assert!(options(wrong).is_err_and(|error| subcommand::is_usage(&error)), "{wrong:?}");
        }
    }

    #[test]
    fn lines_are_as_the_format_has_them() {
        let segments = [
            Segment { address: 0, bytes: (0..18).collect() },
            // Across a page, and not at a multiple of 16.
            Segment { address: 0x1_fff8, bytes: vec![0xaa; 12] },
        ];
        let file = write(&segments).unwrap();
        // The checksums were computed by hand: all bytes of a line add up to 0.
        let expected = "\
:020000040000FA
:10000000000102030405060708090A0B0C0D0E0F78
:020010001011CD
:020000040001F9
:08FFF800AAAAAAAAAAAAAAAAB1
:020000040002F8
:04000000AAAAAAAA54
:00000001FF
";
        assert_eq!(file, expected);
        assert_eq!(read(&file).unwrap(), segments);
        assert!(write(&[]).is_err() && write(&[Segment { address: 1 << 32, bytes: vec![0] }]).is_err());
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let file = write(&[Segment { address: 0x100, bytes: vec![1; 20] }]).unwrap();
        assert!(read(&file).is_ok());
        // Each digit is covered by a checksum.
        for at in (0..file.len()).filter(|&at| file.as_bytes()[at] == b'1') {
            let mut damaged = file.clone();
            damaged.replace_range(at..=at, "2");
            assert!(read(&damaged).is_err(), "byte {at}");
        }
        let without_end = file.lines().filter(|line| *line != ":00000001FF").collect::<Vec<_>>().join("\n");
        assert!(read(&without_end).unwrap_err().to_string().contains("no end"));
        assert!(read("").is_err() && read("hello").is_err());
        assert!(read(":0400000500000000F7\n:00000001FF\n").unwrap_err().to_string().contains("unexpected line"));
    }

    #[test]
    fn boards_without_such_a_drive_are_refused() {
        let error = |name: &str| accepts(board::find(name).unwrap()).unwrap_err().to_string();
        assert!(error("pico").ends_with("only microbit, microbit-v2 have: use `cargo xtask uf2 --board pico`"));
        assert!(error("nrf52840-dk").ends_with("use `cargo xtask flash --board nrf52840-dk`"));
        assert!(accepts(board::find("microbit-v2").unwrap()).is_ok());
    }
}
