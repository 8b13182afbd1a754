//! The table of all pieces: what is there and what is missing.

use std::fmt::Write as _;
use std::process::Command;

use super::arm_gcc::ARM_GCC;
use super::piece::{Piece, State};
use super::qemu::QEMU;
use super::{libtorch, neon, thumb, typos};
use crate::command::ask;
use crate::repo::Repo;

/// Prints the table. Returns whether everything is there.
pub fn print(repo: &Repo) -> bool {
    let pieces = pieces(repo);
    print!("{}", format(&pieces));
    pieces.iter().all(|piece| piece.state != State::Missing)
}

fn pieces(repo: &Repo) -> Vec<Piece> {
    let mut pieces = vec![rust(repo)];
    pieces.extend(libtorch::prerequisites(repo));
    pieces.push(libtorch::piece(repo));
    pieces.extend(thumb::pieces(repo));
    pieces.push(QEMU.piece(repo));
    pieces.push(ARM_GCC.piece(repo));
    pieces.push(neon::piece(repo));
    pieces.push(typos::piece(repo));
    pieces
}

/// The toolchain that everything but the chip's code may be compiled with. It compiled this.
fn rust(repo: &Repo) -> Piece {
    let ask = |arg: &[&str]| ask(Command::new("rustc").args(arg).current_dir(repo.root()));
    match (ask(&["--version"]), ask(&["--print", "sysroot"])) {
        (Some(version), Some(place)) => {
            let version = version.split_whitespace().nth(1).unwrap_or("?");
            Piece::there("Rust", version, place)
        }
        _ => Piece::missing("Rust", "no `rustc` on the PATH"),
    }
}

fn format(pieces: &[Piece]) -> String {
    let header = ["what", "status", "version", "where, or what to do"];
    let rows: Vec<[&str; 4]> = pieces
        .iter()
        .map(|piece| {
            let status = match piece.state {
                State::There => "ok",
                State::Missing => "MISSING",
                State::Skipped => "skipped",
            };
            [piece.what, status, &piece.version, &piece.place]
        })
        .collect();
    let mut widths = header.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&header).chain(&rows) {
        let [what, status, version, place] = row;
        let [w0, w1, w2, _] = widths;
        writeln!(text, "{what:w0$}  {status:w1$}  {version:w2$}  {place}").unwrap();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let pieces = [
            Piece::there("QEMU", "7.2.22", "/usr/bin/qemu-system-arm"),
            Piece::missing("libtorch", "`cargo xtask setup` fetches it"),
            Piece::skipped("AArch64", "not needed"),
        ];
        let expected = "\
what      status   version  where, or what to do
QEMU      ok       7.2.22   /usr/bin/qemu-system-arm
libtorch  MISSING           `cargo xtask setup` fetches it
AArch64   skipped           not needed
";
        assert_eq!(format(&pieces), expected);
    }
}
