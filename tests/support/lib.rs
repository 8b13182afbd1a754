//! What the witnesses share: firmware, built and run in QEMU, and the same words drawn on the host.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use runtime::format::AlignedBlob;
use runtime::{Generator, HeapState, Model, Sampling};
use xtask::board::{self, Board};
use xtask::command::advice;
use xtask::emulator::{self, Run};
use xtask::firmware;
use xtask::repo::Repo;
use xtask::uart::Terminal;

/// A file of the workspace.
pub fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A blob of `models/`.
///
/// # Panics
/// If it is not there.
pub fn blob(name: &str) -> AlignedBlob {
    let path = workspace("models").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    AlignedBlob::from(bytes.as_slice())
}

/// A program for a board, with a model in it.
#[derive(Clone)]
pub struct Firmware {
    board: &'static Board,
    elf: PathBuf,
}

impl Firmware {
    /// Builds a program with a blob of `models/`.
    ///
    /// # Panics
    /// If it does not build: `cargo xtask setup` brings what is missing.
    pub fn build(board: &str, bin: &str, blob: &str) -> Self {
        Self::build_with(board, bin, &workspace("models").join(blob))
    }

    /// Builds a program with any blob.
    ///
    /// # Panics
    /// If it does not build: `cargo xtask setup` brings what is missing.
    pub fn build_with(board: &str, bin: &str, blob: &Path) -> Self {
        let board = board::find(board).expect("a board");
        let elf = firmware::build(&Repo::find(), board, bin, Some(blob));
        let elf = elf.unwrap_or_else(|error| panic!("{}", advice(&error)));
        Self { board, elf }
    }

    /// Builds a program with a blob of `models/` and features besides those of board and precision.
    ///
    /// # Panics
    /// If it does not build: `cargo xtask setup` brings what is missing.
    pub fn build_with_features(board: &str, bin: &str, blob: &str, more: &[&str]) -> Self {
        let board = board::find(board).expect("a board");
        let model = workspace("models").join(blob);
        let elf = firmware::build_with_features(&Repo::find(), board, bin, Some(&model), None, more);
        let elf = elf.unwrap_or_else(|error| panic!("{}", advice(&error)));
        Self { board, elf }
    }

    /// The ELF file.
    pub fn elf(&self) -> &Path {
        &self.elf
    }

    /// Starts it in QEMU with a terminal on its UART, and a file in the slot of its flash.
    ///
    /// # Panics
    /// If QEMU is missing: never a silent skip.
    pub fn terminal(&self, slot: Option<&Path>, timeout: Duration) -> Terminal {
        Terminal::start(&Repo::find(), self.board, &self.elf, slot, timeout)
            .unwrap_or_else(|error| panic!("{}", advice(&error)))
    }

    /// Runs it in QEMU.
    ///
    /// # Panics
    /// If QEMU is missing, or the program does not end in a minute: never a silent skip.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_within(emulator::TIMEOUT, arguments)
    }

    /// Runs it in QEMU for longer.
    ///
    /// # Panics
    /// If QEMU is missing, or the program does not end in time: never a silent skip.
    pub fn run_within(&self, timeout: Duration, arguments: &[&str]) -> Run {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        // The test's own macro, so that only a test that fails shows it.
        let show = |line: &str| {
            println!("{line}");
            ControlFlow::Continue(())
        };
        emulator::run_with(&Repo::find(), self.board, &self.elf, &arguments, timeout, show)
            .unwrap_or_else(|error| panic!("{}", advice(&error)))
    }
}

/// Words drawn on the host.
///
/// # Panics
/// If the model cannot read the prompt.
pub fn host_words(blob: &AlignedBlob, sampling: Sampling, seed: u64, prompt: &str, count: usize) -> Vec<String> {
    let model = Model::new(blob.as_bytes()).expect("a shipped model");
    let mut state = HeapState::new(&model);
    let mut generator = Generator::new(&model, &mut state, sampling, seed).expect("made for this model");
    (0..count).map(|_| generator.start(prompt).expect("a prompt it can read").collect()).collect()
}

/// Compares text with a file in `expected/`, or rewrites the file where the environment variable BLESS is set.
///
/// # Panics
/// If they differ.
pub fn assert_expected(file: &str, text: &str) {
    let path = workspace("tests/expected").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, expected, "{} differs; if that is meant, run the test with BLESS=1", path.display());
}

/// Compares a table with what stands in a document between `<!-- NAME -->` and `<!-- /NAME -->`, or rewrites it there where the
/// environment variable BLESS is set.
///
/// # Panics
/// If they differ, or there is no such place.
pub fn assert_section(document: &str, name: &str, table: &str) {
    // Tests of one program write at the same time.
    static LOCK: Mutex<()> = Mutex::new(());
    let _lock = LOCK.lock();
    let path = workspace(document);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (before, rest) = text.split_once(&format!("<!-- {name} -->\n")).expect("a place for the table");
    let (found, after) = rest.split_once(&format!("<!-- /{name} -->\n")).expect("an end of it");
    if std::env::var_os("BLESS").is_some() {
        let text = format!("{before}<!-- {name} -->\n{table}<!-- /{name} -->\n{after}");
        return std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    assert_eq!(table, found, "{} differs; if that is meant, run the test with BLESS=1", path.display());
}
