//! `cargo xtask reproduce`: checks that the same sources in two folders produce the same firmware, byte for byte,
//! wherever Cargo keeps the dependencies.

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
    summary: Some("build firmware from the same sources in two folders and compare the bytes"),
    help: "\
cargo xtask reproduce

Builds firmware from copies of the sources in two folders and compares the programs byte by byte.
",
    run: |args| {
        no_options(args)?;
        run(&Repo::find())
    },
};

/// Programs: one for a small core and one for a core with an FPU.
const PROGRAMS: [(&str, &str); 2] = [("microbit", "console"), ("mps2-an386", "generate")];

/// Builds and compares the programs.
///
/// # Errors
/// Returns an error if a program does not build, or at the first byte that differs.
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
    let home = repo.cargo_home().context("cannot find Cargo's home folder")?;
    for (copy, other) in copies.iter().zip(&homes) {
        repo.copy_sources(copy)?;
        // Links the compiler that set-up may have made.
        link(&repo.tools(), &copy.join(".tools"))?;
        fs::create_dir(copy.join("target"))?;
        // Links the dependencies under another name, so that nothing is fetched again.
        link(&home, other)?;
    }
    for (board, bin) in PROGRAMS {
        let board = board::find(board)?;
        let [one, other] = [0, 1].map(|index| {
            let repo = Repo::copy(&copies[index], Some(&homes[index]));
            fs::read(build(&repo, board, bin, Some(&shipped_model(&repo, "int8")))?).context("cannot read the ELF file")
        });
        let (one, other) = (one?, other?);
        let bytes = same(&segments(&one)?, &segments(&other)?).with_context(|| format!("{bin} for {}", board.name))?;
        let debug = if one == other { "and the rest of the ELF file is, too" } else { "the debug information differs" };
        println!("{bin} for {}: {bytes} bytes are equal from both folders; {debug}", board.name);
    }
    Ok(())
}

#[cfg(unix)]
fn link(to: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(to, link).with_context(|| format!("cannot link {}", link.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, link: &Path) -> Result<()> {
    bail!("cannot link {}: this command links folders only on Unix", link.display())
}

/// Returns the addresses and bytes that are written to the chip.
fn segments(elf: &[u8]) -> Result<Vec<(u64, Vec<u8>)>> {
    let file = object::File::parse(elf)?;
    let segments = file.segments().map(|segment| Ok((segment.address(), segment.data()?.to_vec())));
    segments.collect()
}

/// Returns the number of bytes if all are equal.
fn same(one: &[(u64, Vec<u8>)], other: &[(u64, Vec<u8>)]) -> Result<usize> {
    for ((address, one), (other_address, other)) in one.iter().zip(other) {
        if (address, one.len()) != (other_address, other.len()) {
            bail!(
                "{} bytes at {address:#x} from one folder, but {} at {other_address:#x} from the other",
                one.len(),
                other.len()
            );
        }
        if let Some(at) = one.iter().zip(other).position(|(one, other)| one != other) {
            bail!(
                "the byte at {:#x} is {} from one folder, but {} from the other",
                address + at as u64,
                one[at],
                other[at]
            );
        }
    }
    if one.len() != other.len() {
        bail!("{} segments from one folder, but {} from the other", one.len(), other.len());
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
        assert_eq!(refused(&[(0x100, vec![1, 2, 9])]), "the byte at 0x102 is 3 from one folder, but 9 from the other");
        assert_eq!(
            refused(&[(0x104, vec![1, 2, 3])]),
            "3 bytes at 0x100 from one folder, but 3 at 0x104 from the other"
        );
        assert_eq!(refused(&one[..1]), "2 segments from one folder, but 1 from the other");
    }
}
