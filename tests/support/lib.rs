//! Shared code of these tests: builds firmware and runs it in QEMU, and draws the same words on the host.

pub mod conversation;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use firmware_example::console::machine::{Facts, Machine};
use runtime::format::AlignedBlob;
use runtime::write::tabulate_halves;
use runtime::{Generator, HeapState, Model, Sampling};
pub use xtask::bench::thousands;
use xtask::board::{self, Board};
use xtask::command::advice;
use xtask::emulator::{self, Run};
use xtask::firmware;
use xtask::image::Image;
use xtask::repo::Repo;
use xtask::setup::qemu;
use xtask::uart::Terminal;
use xtask::uf2;

/// Returns the path of a file of the workspace.
pub fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Returns a blob of `models/`.
///
/// # Panics
/// Panics if the file is missing.
pub fn blob(name: &str) -> AlignedBlob {
    let path = workspace("models").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    AlignedBlob::from(bytes.as_slice())
}

/// Writes a blob of `models/` with tables for levels 0 and 1 to a folder of the test program, and returns the file's
/// path.
///
/// # Panics
/// Panics if the file cannot be written, or if the model is not in integers.
pub fn with_tables(program: &str, name: &str) -> PathBuf {
    let plain = blob(name);
    let tabulated = tabulate_halves(&Model::new(plain.as_bytes()).expect("a shipped model")).expect("fuses of two");
    let path = workspace("target/tests").join(program).join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    // Programs with a newer file would be built again.
    if std::fs::read(&path).ok().as_ref() != Some(&tabulated) {
        std::fs::write(&path, &tabulated).expect("a file");
    }
    path
}

/// Writes the UF2 file of a program for the Pico beside its ELF file, and returns its path.
///
/// # Panics
/// Panics if the ELF file is no program for a Pico, or if the file cannot be written.
pub fn uf2_for_pico(elf: &Path) -> PathBuf {
    let board = board::find("pico").expect("a board");
    let image = Image::read_for(board, elf).expect("a program");
    let file = elf.with_extension("uf2");
    uf2::save_as(board, &image.segments, &file).expect("a file");
    file
}

/// Program for a board, with a model in it.
#[derive(Clone)]
pub struct Firmware {
    board: &'static Board,
    elf: PathBuf,
}

impl Firmware {
    /// Builds a program with a blob of `models/`.
    ///
    /// # Panics
    /// Panics if it does not build: `cargo xtask setup` installs the missing tools.
    pub fn build(board: &str, bin: &str, blob: &str) -> Self {
        Self::build_with(board, bin, &workspace("models").join(blob))
    }

    /// Builds a program with any blob.
    ///
    /// # Panics
    /// Panics if it does not build: `cargo xtask setup` installs the missing tools.
    pub fn build_with(board: &str, bin: &str, blob: &Path) -> Self {
        let board = board::find(board).expect("a board");
        let elf = firmware::build(&Repo::find(), board, bin, Some(blob));
        let elf = elf.unwrap_or_else(|error| panic!("{}", advice(&error)));
        Self { board, elf }
    }

    /// Builds a program with a blob of `models/` and features in addition to those of board and precision.
    ///
    /// # Panics
    /// Panics if it does not build: `cargo xtask setup` installs the missing tools.
    pub fn build_with_features(board: &str, bin: &str, blob: &str, more: &[&str]) -> Self {
        let board = board::find(board).expect("a board");
        let model = workspace("models").join(blob);
        let elf = firmware::build_with_features(&Repo::find(), board, bin, Some(&model), None, more);
        let elf = elf.unwrap_or_else(|error| panic!("{}", advice(&error)));
        Self { board, elf }
    }

    /// Returns the path of the ELF file.
    pub fn elf(&self) -> &Path {
        &self.elf
    }

    /// Starts the program in QEMU with a terminal on its UART, and a file in the slot of its flash.
    ///
    /// # Panics
    /// Panics if QEMU is missing: the test is never skipped silently.
    pub fn terminal(&self, slot: Option<&Path>, timeout: Duration) -> Terminal {
        Terminal::start(&Repo::find(), self.board, &self.elf, slot, timeout)
            .unwrap_or_else(|error| panic!("{}", advice(&error)))
    }

    /// Runs the program in QEMU.
    ///
    /// # Panics
    /// Panics if QEMU is missing, or the program does not end in a minute: the test is never skipped silently.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_within(emulator::TIMEOUT, arguments)
    }

    /// Runs the program in QEMU with a longer time limit.
    ///
    /// # Panics
    /// Panics if QEMU is missing, or the program exceeds the time limit: the test is never skipped silently.
    pub fn run_within(&self, timeout: Duration, arguments: &[&str]) -> Run {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        // Uses `println!`, so that only a failing test shows the line.
        let show = |line: &str| {
            println!("{line}");
            ControlFlow::Continue(())
        };
        emulator::run_with(&Repo::find(), self.board, &self.elf, &arguments, timeout, show)
            .unwrap_or_else(|error| panic!("{}", advice(&error)))
    }
}

/// Returns the boards that the installed QEMU emulates. Writes a line for each board that needs a newer QEMU.
pub fn emulated_here() -> &'static [&'static Board] {
    static BOARDS: LazyLock<Vec<&Board>> = LazyLock::new(|| {
        let repo = Repo::find();
        let is_here = |board: &&'static Board| match qemu::lacks(&repo, board) {
            Some(reason) => {
                // Not by `eprintln!`, whose lines the test harness hides unless the test fails.
                let _ = writeln!(std::io::stderr(), "NOT TESTED: {reason}");
                false
            }
            None => true,
        };
        board::emulated().chain(board::emulated_by_newer()).filter(is_here).collect()
    });
    &BOARDS
}

/// Returns words drawn on the host.
///
/// # Panics
/// Panics if the model cannot read the prompt.
pub fn host_words(blob: &AlignedBlob, sampling: Sampling, seed: u64, prompt: &str, count: usize) -> Vec<String> {
    let model = Model::new(blob.as_bytes()).expect("a shipped model");
    let mut state = HeapState::new(&model);
    let mut generator = Generator::new(&model, &mut state, sampling, seed).expect("made for this model");
    (0..count).map(|_| generator.start(prompt).expect("a prompt it can read").collect()).collect()
}

/// The host as the machine of a console: it has neither clock nor memory map.
#[derive(Debug, Clone, Copy)]
pub struct NoBoard;

impl Machine for NoBoard {
    fn unit(&self) -> &'static str {
        "instructions"
    }

    fn facts(&self) -> Facts {
        Facts { board: "host", core: "?", clock_hz: 0, flash_bytes: 0, model_bytes: 0, static_bytes: 0, stack_bytes: 0 }
    }

    fn stack_used(&self) -> usize {
        0
    }

    fn now(&mut self) -> u64 {
        0
    }

    fn reset(&mut self) {}
}

/// Compares text with a file in `expected/`. If the environment variable BLESS is set, rewrites the file.
///
/// # Panics
/// Panics if they differ.
pub fn assert_expected(file: &str, text: &str) {
    let path = workspace("tests/expected").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, expected, "{} differs; if that is meant, run the test with BLESS=1", path.display());
}

/// Compares a table with the text between `<!-- NAME -->` and `<!-- /NAME -->` in a document. If the environment
/// variable BLESS is set, rewrites the text.
///
/// # Panics
/// Panics if they differ, or if the document has no such marks.
pub fn assert_section(document: &str, name: &str, table: &str) {
    // Tests of one program may write at the same time.
    static LOCK: Mutex<()> = Mutex::new(());
    let _lock = LOCK.lock();
    let path = workspace(document);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (before, found, after) = around_section(&text, name);
    if std::env::var_os("BLESS").is_some() {
        let text = format!("{before}<!-- {name} -->\n{table}<!-- /{name} -->\n{after}");
        return std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    assert_eq!(table, found, "{} differs; if that is meant, run the test with BLESS=1", path.display());
}

/// Compares a table with the text between `<!-- NAME -->` and `<!-- /NAME -->` in a document. If the environment
/// variable BLESS is set, rewrites the text. Numbers may differ by `percent`; all other words must be equal.
///
/// # Panics
/// Panics if they differ by more, or if the document has no such marks.
pub fn assert_section_within(percent: f64, document: &str, name: &str, table: &str) {
    if std::env::var_os("BLESS").is_some() {
        return assert_section(document, name, table);
    }
    let path = workspace(document);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, found, _) = around_section(&text, name);
    assert!(
        agrees(percent, found, table),
        "{document} differs by more than {percent} %; if that is meant, run the test with BLESS=1. Found:\n{found}\n\
         Expected:\n{table}"
    );
}

/// Splits a document into the text before a section's mark, the section, and the text after its closing mark.
///
/// # Panics
/// Panics if the document has no such marks.
fn around_section<'t>(text: &'t str, name: &str) -> (&'t str, &'t str, &'t str) {
    let (before, rest) = text.split_once(&format!("<!-- {name} -->\n")).expect("a place for the table");
    let (found, after) = rest.split_once(&format!("<!-- /{name} -->\n")).expect("the end of the table");
    (before, found, after)
}

/// Returns whether two tables have the same words, and numbers that differ by at most `percent`.
fn agrees(percent: f64, found: &str, expected: &str) -> bool {
    let number = |word: &str| word.replace(',', "").parse::<f64>().ok();
    let (found, expected): (Vec<_>, Vec<_>) =
        (found.split_whitespace().collect(), expected.split_whitespace().collect());
    let same = |(found, expected): (&&str, &&str)| match (number(found), number(expected)) {
        (Some(found), Some(expected)) => (found - expected).abs() * 100.0 <= percent * expected,
        _ => found == expected,
    };
    found.len() == expected.len() && found.iter().zip(&expected).all(same)
}

/// Returns a table in Markdown whose first column is on the left and whose other columns are numbers, on the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let right = header.iter().skip(1).map(|_| "---:");
    let mut text = line(header) + &line(&std::iter::once("---").chain(right).collect::<Vec<_>>());
    for row in rows {
        text += &line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn numbers_may_differ_a_little_and_words_may_not() {
        let rows = |bytes| table(&["core", "bytes"], &[vec!["Cortex-M0".to_owned(), thousands(bytes)]]);
        let expected = rows(10_000);
        assert_eq!(expected, "| core | bytes |\n| --- | ---: |\n| Cortex-M0 | 10,000 |\n");
        assert!(agrees(2.0, &rows(10_200), &expected) && agrees(2.0, &rows(9_800), &expected));
        assert!(!agrees(2.0, &rows(10_201), &expected) && !agrees(2.0, &rows(9_799), &expected));
        assert!(!agrees(2.0, &expected.replace("M0", "M3"), &expected) && !agrees(2.0, "", &expected));
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!([0, 999, 1_000, 12_034, 1_000_000].map(thousands), ["0", "999", "1,000", "12,034", "1,000,000"]);
    }
}
