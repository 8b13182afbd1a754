//! `cargo xtask reproduce`: the same sources in two folders give the same firmware, byte for byte, wherever Cargo keeps the
//! dependencies.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSegment};

use crate::board;
use crate::firmware::{build, shipped_model};
use crate::repo::Repo;
use crate::setup::{self, Purpose};
use crate::subcommand::{Subcommand, no_options};

/// The subcommand.
pub const COMMAND: Subcommand = Subcommand {
    name: "reproduce",
    summary: Some("build firmware from copies of the sources in two folders: the bytes must be the same"),
    help: "\
cargo xtask reproduce

Builds firmware from copies of the sources in two folders and compares the programs byte by byte.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// A small core and one with an FPU.
const PROGRAMS: [(&str, &str); 2] = [("microbit", "console"), ("mps2-an386", "generate")];

/// Builds and compares.
///
/// # Errors
/// A program that does not build, or the first byte that differs.
fn run(repo: &Repo) -> Result<ExitCode> {
    setup::ensure(repo, Purpose::Use)?;
    let top = env::temp_dir().join(format!("reproduce-{}", std::process::id()));
    let result = compare(repo, &top);
    fs::remove_dir_all(&top).with_context(|| format!("cannot remove {}", top.display()))?;
    result?;
    Ok(ExitCode::SUCCESS)
}

fn compare(repo: &Repo, top: &Path) -> Result<()> {
    let copies = [top.join("a"), top.join("another/folder with a longer path")];
    let homes = copies.each_ref().map(|copy| copy.join("target/cargo"));
    let home = repo.cargo_home().context("no home folder")?;
    for (copy, other) in copies.iter().zip(&homes) {
        repo.copy_sources(copy)?;
        // The compiler, where set-up had to make one.
        link(&repo.tools(), &copy.join(".tools"))?;
        fs::create_dir(copy.join("target"))?;
        // The same under other names: nothing is fetched again.
        link(&home, other)?;
    }
    for (board, bin) in PROGRAMS {
        let board = board::find(board)?;
        let [one, other] = [0, 1].map(|index| {
            let repo = Repo::copy(&copies[index], Some(&homes[index]));
            fs::read(build(&repo, board, bin, Some(&shipped_model(&repo, "int8")))?).context("no ELF file")
        });
        let (one, other) = (one?, other?);
        let bytes = same(&segments(&one)?, &segments(&other)?).with_context(|| format!("{bin} for {}", board.name))?;
        let debug = if one == other { "and so is the rest of the ELF file" } else { "the debug information is not" };
        println!("{bin} for {}: {bytes} bytes are the same from both folders, {debug}", board.name);
    }
    Ok(())
}

#[cfg(unix)]
fn link(to: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(to, link).with_context(|| format!("cannot link {}", link.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, link: &Path) -> Result<()> {
    bail!("cannot link {}: links to folders are made on Unix only", link.display())
}

/// What is written to the chip: addresses and bytes.
fn segments(elf: &[u8]) -> Result<Vec<(u64, Vec<u8>)>> {
    let file = object::File::parse(elf)?;
    let segments = file.segments().map(|segment| Ok((segment.address(), segment.data()?.to_vec())));
    segments.collect()
}

/// The number of bytes, if they are the same.
fn same(one: &[(u64, Vec<u8>)], other: &[(u64, Vec<u8>)]) -> Result<usize> {
    for ((address, one), (other_address, other)) in one.iter().zip(other) {
        if (address, one.len()) != (other_address, other.len()) {
            bail!("{} bytes at {address:#x} from one folder, {} at {other_address:#x}", one.len(), other.len());
        }
        if let Some(at) = one.iter().zip(other).position(|(one, other)| one != other) {
            bail!("the byte at {:#x} is {} from one folder, {}", address + at as u64, one[at], other[at]);
        }
    }
    if one.len() != other.len() {
        bail!("{} segments from one folder, {}", one.len(), other.len());
    }
    Ok(one.iter().map(|(_, bytes)| bytes.len()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_differs_is_found() {
        let one = [(0x100, vec![1, 2, 3]), (0x200, vec![4])];
        assert_eq!(same(&one, &one).unwrap(), 4);
        let refused = |other: &[(u64, Vec<u8>)]| same(&one, other).unwrap_err().to_string();
        assert_eq!(refused(&[(0x100, vec![1, 2, 9])]), "the byte at 0x102 is 3 from one folder, 9");
        assert_eq!(refused(&[(0x104, vec![1, 2, 3])]), "3 bytes at 0x100 from one folder, 3 at 0x104");
        assert_eq!(refused(&one[..1]), "2 segments from one folder, 1");
    }
}
