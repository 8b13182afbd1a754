//! The same blob produces the same logits, and with the same seed the same words, bit by bit, on the host and on every
//! kind of core, with or without an FPU.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use firmware_example::checksum;
use runtime::{HeapState, Model, Sampling, Stream};
use tests::{Firmware, blob, host_words, with_tables, workspace};
use xtask::emulator::report;

/// Number of random contexts whose logits are compared.
const CONTEXTS: u32 = 10_000;
/// Number of words that are compared.
const WORDS: usize = 1_000;
/// Seed of contexts and words.
const SEED: u64 = 1;
/// Time limit. 10,000 characters take up to twelve billion instructions; QEMU runs about one billion per second, fewer
/// on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Model, and the host's results with it, computed once for all boards.
struct Witness {
    blob: &'static str,
    /// True if levels 0 and 1 are tables on the chip, in a blob that the host makes. The host's results are those of
    /// the model without tables.
    tables: bool,
    /// File for the chip, which tests may ask for at the same time.
    file: OnceLock<PathBuf>,
    checksums: OnceLock<[String; 2]>,
}

impl Witness {
    const fn new(blob: &'static str) -> Self {
        Self { blob, tables: false, file: OnceLock::new(), checksums: OnceLock::new() }
    }

    const fn with_tables(blob: &'static str) -> Self {
        Self { blob, tables: true, file: OnceLock::new(), checksums: OnceLock::new() }
    }

    /// Returns the path of the blob for the chip.
    fn file(&self) -> &Path {
        let shipped = || workspace("models").join(self.blob);
        self.file.get_or_init(|| if self.tables { with_tables("agreement", self.blob) } else { shipped() })
    }

    /// Returns the checksums of the logits and of the words, as the program prints them.
    fn checksums(&self) -> &[String; 2] {
        self.checksums.get_or_init(|| {
            let blob = blob(self.blob);
            let model = Model::new(blob.as_bytes()).expect("a shipped model");
            let mut state = HeapState::new(&model);
            let mut stream = Stream::new(&model, &mut state).expect("made for this model");
            let logits = checksum::of_logits(&mut stream, CONTEXTS, SEED);
            let mut words = checksum::Words::default();
            host_words(&blob, Sampling::default(), SEED, "", WORDS).iter().for_each(|word| words.add(word));
            [logits, words.finish()].map(|checksum| format!("{checksum:08x}"))
        })
    }

    fn agrees_with(&self, board: &str) {
        let [contexts, seed, n] = [format!("contexts={CONTEXTS}"), format!("seed={SEED}"), format!("n={WORDS}")];
        let run = Firmware::build_with(board, "selftest", self.file()).run_within(TIMEOUT, &[&contexts, &seed, &n]);
        assert!(run.success(), "{board}: {:?}", run.lines);
        let (_, facts) = report(&run.lines);
        assert_eq!(facts["board"], board);
        assert_eq!((facts["contexts"], facts["words"]), (&*CONTEXTS.to_string(), &*WORDS.to_string()));
        let [logits, words] = self.checksums();
        assert_eq!(facts["logits_crc32"], logits, "{} on {board}: other logits than on the host", self.blob);
        assert_eq!(facts["names_crc32"], words, "{} on {board}: other words than on the host", self.blob);
    }
}

static F32: Witness = Witness::new("names.blob");
static INT8: Witness = Witness::new("names.int8.blob");
static INT4: Witness = Witness::new("names.int4.blob");
static INT8_TABLES: Witness = Witness::with_tables("names.int8.blob");
static INT4_TABLES: Witness = Witness::with_tables("names.int4.blob");
/// Model for boards whose flash is too small for the tables of the shipped model.
static TINY_TABLES: Witness = Witness::with_tables("tiny.int8.blob");

#[test]
fn tables_on_host_and_cortex_m4f() {
    INT8_TABLES.agrees_with("mps2-an386");
    INT4_TABLES.agrees_with("mps2-an386");
}

#[test]
fn tables_on_host_and_cortex_m3() {
    INT8_TABLES.agrees_with("mps2-an385");
}

#[test]
fn tables_on_host_and_cortex_m33() {
    INT8_TABLES.agrees_with("mps2-an505");
}

#[test]
fn tables_on_host_and_cortex_m0() {
    TINY_TABLES.agrees_with("microbit");
}

#[test]
fn tables_on_host_and_cortex_m55() {
    TINY_TABLES.agrees_with("mps3-an547");
}

#[test]
fn tables_on_host_and_rv32imc() {
    INT8_TABLES.agrees_with("riscv-virt");
    INT4_TABLES.agrees_with("riscv-virt");
}

#[test]
fn f32_on_host_and_cortex_m4f() {
    F32.agrees_with("mps2-an386");
}

#[test]
fn f32_on_host_and_cortex_m7() {
    F32.agrees_with("mps2-an500");
}

#[test]
fn f32_on_host_and_cortex_m33() {
    F32.agrees_with("mps2-an505");
}

#[test]
fn f32_on_host_and_cortex_m55() {
    F32.agrees_with("mps3-an547");
}

#[test]
fn int8_on_host_and_cortex_m4f() {
    INT8.agrees_with("mps2-an386");
}

#[test]
fn int8_on_host_and_cortex_m3() {
    INT8.agrees_with("mps2-an385");
}

#[test]
fn int8_on_host_and_cortex_m0() {
    INT8.agrees_with("microbit");
}

#[test]
fn int8_on_host_and_cortex_m7() {
    INT8.agrees_with("mps2-an500");
}

#[test]
fn int8_on_host_and_cortex_m33() {
    INT8.agrees_with("mps2-an505");
}

#[test]
fn int8_on_host_and_cortex_m55() {
    INT8.agrees_with("mps3-an547");
}

#[test]
fn int8_on_host_and_rv32imc() {
    INT8.agrees_with("riscv-virt");
}

#[test]
fn int4_on_host_and_cortex_m4f() {
    INT4.agrees_with("mps2-an386");
}

#[test]
fn int4_on_host_and_cortex_m3() {
    INT4.agrees_with("mps2-an385");
}

#[test]
fn int4_on_host_and_cortex_m0() {
    INT4.agrees_with("microbit");
}

#[test]
fn int4_on_host_and_cortex_m33() {
    INT4.agrees_with("mps2-an505");
}

#[test]
fn int4_on_host_and_cortex_m55() {
    INT4.agrees_with("mps3-an547");
}

#[test]
fn int4_on_host_and_rv32imc() {
    INT4.agrees_with("riscv-virt");
}
