//! Prints the table of all pieces: which are installed and which are missing.

use std::fmt::Write as _;
use std::process::Command;

use super::arm_gcc::ARM_GCC;
use super::piece::{Piece, State};
use super::{chromium, libtorch, neon, npm, qemu, thumb, typos};
use crate::command::ask;
use crate::repo::Repo;

/// Prints the table. Returns whether no piece is missing.
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
    pieces.push(qemu::ARM.piece(repo));
    pieces.push(qemu::RISCV.piece(repo));
    pieces.push(npm::EMULATOR.piece(repo));
    pieces.push(npm::PAGE.piece(repo));
    pieces.push(chromium::piece(repo));
    pieces.push(ARM_GCC.piece(repo));
    pieces.push(neon::piece(repo));
    pieces.push(typos::piece(repo));
    pieces
}

/// Returns the row of the toolchain that compiled this program. It can compile everything except the chips' code.
fn rust(repo: &Repo) -> Piece {
    let ask = |arg: &[&str]| ask(Command::new("rustc").args(arg).current_dir(repo.root()));
    match (ask(&["--version"]), ask(&["--print", "sysroot"])) {
        (Some(version), Some(place)) => {
            let version = version.split_whitespace().nth(1).unwrap_or("?");
            Piece::there("Rust", version, place)
        }
        _ => Piece::missing("Rust", "install Rust (https://rustup.rs): there is no `rustc` on the PATH"),
    }
}

fn format(pieces: &[Piece]) -> String {
    let header = ["piece", "status", "version", "where, or what to do"];
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
            Piece::missing("libtorch", "run `cargo xtask setup` to fetch it"),
            Piece::skipped("AArch64", "not needed"),
        ];
        let expected = "\
piece     status   version  where, or what to do
QEMU      ok       7.2.22   /usr/bin/qemu-system-arm
libtorch  MISSING           run `cargo xtask setup` to fetch it
AArch64   skipped           not needed
";
        assert_eq!(format(&pieces), expected);
    }
}
