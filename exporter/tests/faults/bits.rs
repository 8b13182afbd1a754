//! Bits that flip in a blob: what the checksum finds, and what the self-test would find without it.

use std::thread;

use exporter::data::python_random::PythonRandom;
use runtime::format::{AlignedBlob, checksum};
use runtime::{Error, FormatError, HeapState, Model};
use tests::assert_section;

use super::seen::model;

/// Bits that are flipped, one at a time.
const FLIPS: usize = 10_000;
/// Of these, how many the self-test is tried on: it evaluates the model, the checksum only reads it.
const SELF_TESTS: usize = 2_000;
/// Where the checksum lies in a blob.
const CHECKSUM: std::ops::Range<usize> = 16..20;

/// How many single flips were found by what.
#[derive(Default)]
struct Found {
    /// With the checksum made right again: refused by the loader's other checks, found by the self-test, by neither.
    refused: usize,
    self_test: usize,
    nothing: usize,
}

fn flip(name: &str) -> Found {
    let bytes = model(name);
    let mut random = PythonRandom::new(42);
    let mut found = Found::default();
    for number in 0..FLIPS {
        let bit = random.below(bytes.len() * 8);
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let refused = Model::new(AlignedBlob::from(damaged.as_slice()).as_bytes()).map(drop);
        let error = refused.expect_err("a bit has flipped");
        // Where a bit of the preamble has flipped, what it says is looked at first.
        let expected = matches!(error, FormatError::ChecksumMismatch { .. }) || bit / 8 < CHECKSUM.start;
        assert!(expected, "{name}, bit {bit}: {error}");
        if number >= SELF_TESTS {
            continue;
        }
        let right = checksum(&damaged).to_le_bytes();
        damaged[CHECKSUM].copy_from_slice(&right);
        let blob = AlignedBlob::from(damaged.as_slice());
        match Model::new(blob.as_bytes()) {
            Err(_) => found.refused += 1,
            Ok(model) => match model.self_test(&mut HeapState::new(&model)) {
                Err(Error::SelfTest(_)) => found.self_test += 1,
                Err(error) => panic!("{name}, bit {bit}: {error}"),
                Ok(()) => found.nothing += 1,
            },
        }
    }
    found
}

#[test]
fn what_flipped_bits_are_found_by() {
    let names = ["names.blob", "names.int8.blob", "names.int4.blob"];
    let rows = thread::scope(|scope| {
        let rows = names.map(|name| scope.spawn(move || (name, flip(name))));
        rows.map(|row| row.join().unwrap())
    });
    let mut text = "| blob | found by preamble or checksum | with a corrected checksum: refused by the loader | \
                    found by the self-test | not found |\n|---|---|---|---|---|\n"
        .to_owned();
    for (name, found) in rows {
        assert_eq!(found.refused + found.self_test + found.nothing, SELF_TESTS);
        let percent = |found: usize| format!("{:.1} %", 100.0 * found as f64 / SELF_TESTS as f64);
        let (refused, self_test, nothing) = (percent(found.refused), percent(found.self_test), percent(found.nothing));
        text += &format!("| `{name}` | {FLIPS} of {FLIPS} | {refused} | {self_test} | {nothing} |\n");
    }
    assert_section("docs/trust/record/reliability.md", "bits", &text);
}
