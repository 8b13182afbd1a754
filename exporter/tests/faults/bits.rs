//! Flips bits in a blob, and counts how many the checksum finds, and how many the self-test would find without it.

use std::thread;

use exporter::data::python_random::PythonRandom;
use runtime::format::{AlignedBlob, checksum};
use runtime::{Error, FormatError, HeapState, Model};
use tests::assert_section;

use super::seen::model;

/// Number of bits that are flipped, one at a time.
const FLIPS: usize = 10_000;
/// Number of flipped bits on which the self-test is tried: it evaluates the model, which is slower than the checksum.
const SELF_TESTS: usize = 2_000;
/// Position of the checksum in a blob.
const CHECKSUM: std::ops::Range<usize> = 16..20;

/// Number of flips that each check found after the checksum was corrected.
#[derive(Default)]
struct Found {
    /// Refused by the loader's other checks.
    refused: usize,
    /// Found by the self-test.
    self_test: usize,
    /// Found by no check.
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
        // The loader checks the fields of the preamble before the checksum.
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
    let mut text =
        "| blob | found by the checksum or by a check before it | with the checksum corrected: refused by the loader | \
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
