//! Gated units and ReLU produce the same logits and words, bit by bit, on the host and on every kind of core, in every
//! precision. Other tests run tanh.
//!
//! The models have random weights, those of `cargo xtask bench`. Their own self-test, with which every program begins,
//! promises the logits of the host that encoded them.

use std::fs;
use std::path::PathBuf;
use std::thread;

use firmware_example::checksum;
use runtime::format::AlignedBlob;
use runtime::{HeapState, Model, Sampling, Stream};
use tests::{Firmware, host_words};
use xtask::bench::{Case, GATED, RELU};
use xtask::board::{self, Board};
use xtask::emulator::report;
use xtask::repo::Repo;

/// Number of random contexts whose logits are compared.
const CONTEXTS: u32 = 200;
/// Number of words that are compared.
const WORDS: usize = 20;
/// Seed of contexts and words.
const SEED: u64 = 1;

fn file(model: &'static str, precision: &'static str) -> PathBuf {
    let case = Case { board: board::default(), model, precision, layout: None };
    case.blob(&Repo::find()).expect("a place for it")
}

/// Compares boards in parallel: one program is built while another runs.
fn agree(model: &'static str, precision: &'static str, boards: impl Iterator<Item = &'static Board>) {
    let path = file(model, precision);
    let blob = AlignedBlob::from(fs::read(&path).expect("just written").as_slice());
    let model = Model::new(blob.as_bytes()).expect("an encoded model");
    let mut state = HeapState::new(&model);
    let mut stream = Stream::new(&model, &mut state).expect("made for this model");
    let logits = format!("{:08x}", checksum::of_logits(&mut stream, CONTEXTS, SEED));
    let mut words = checksum::Words::default();
    for word in host_words(&blob, Sampling::default(), SEED, "", WORDS) {
        words.add(&word);
    }
    let words = format!("{:08x}", words.finish());
    thread::scope(|scope| {
        for board in boards {
            scope.spawn(|| {
                let [contexts, seed, n] =
                    [format!("contexts={CONTEXTS}"), format!("seed={SEED}"), format!("n={WORDS}")];
                let run = Firmware::build_with(board.name, "selftest", &path).run(&[&contexts, &seed, &n]);
                assert!(run.success(), "{}: {:?}", board.name, run.lines);
                let (_, facts) = report(&run.lines);
                assert_eq!((facts["board"], facts["self_test"]), (board.name, "pass"));
                assert_eq!(facts["logits_crc32"], logits, "{precision} on {}", board.name);
                assert_eq!(facts["names_crc32"], words, "{precision} on {}", board.name);
            });
        }
    });
}

#[test]
fn gated_int8_on_host_and_every_board() {
    agree(GATED, "int8", board::one_of_each_core());
}

#[test]
fn gated_int4_on_host_and_every_board() {
    agree(GATED, "int4", board::one_of_each_core());
}

#[test]
fn relu_int8_on_host_and_every_board() {
    agree(RELU, "int8", board::one_of_each_core());
}

#[test]
fn relu_int4_on_host_and_every_board() {
    agree(RELU, "int4", board::one_of_each_core());
}

/// Cores without an FPU are left out: software floating point is too slow for this many characters.
#[test]
fn f32_on_host_and_every_fpu() {
    for model in [GATED, RELU] {
        agree(model, "f32", board::one_of_each_core().filter(|board| board.has_fpu()));
    }
}
