//! Runs the bodies of the fuzz targets (`runtime/fuzz`) on the stable toolchain: with the committed corpus, and with
//! some thousand random and mutated inputs.
#![cfg(all(feature = "f32", feature = "int4", feature = "dual16", feature = "lanes16", feature = "vector128"))]

#[path = "../fuzz/src/lib.rs"]
mod bodies;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bodies::blob::seal;
use bodies::generate::{Outcome, SETTINGS, generate};
use bodies::invent::invent;
use bodies::load::{check, load};
use bodies::mutate::{mutate, mutate_with_settings};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use runtime::format::Precision;

/// Longest input, in bytes.
const LONGEST: usize = 2048;

/// Returns the committed inputs of a target: the seeds and the inputs that once failed.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let folders = ["seeds", "regressions"].map(|folder| fuzz.join(folder).join(target));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files
        .filter(|path| !path.ends_with(".gitkeep"))
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect()
}

/// Strategy for inputs of a target and the seeds of their mutations.
fn changed(target: &str) -> impl Strategy<Value = (Vec<u8>, Vec<u32>)> + use<> {
    let inputs: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, bytes)| bytes).collect();
    (prop::sample::select(inputs), prop::collection::vec(any::<u32>(), 1..4))
}

/// Changes a few bytes or the length, like libFuzzer but without its feedback.
fn generic(seed: u32) -> impl FnMut(&mut [u8], usize, usize) -> usize {
    let mut random = u64::from(seed) | 1 << 32;
    let mut next = move || {
        // The constants of Knuth's MMIX; the upper half is random enough.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    move |bytes, len, longest| {
        for _ in 0..=next() % 3 {
            if let Some(byte) = bytes.get_mut(next() % len.max(1)) {
                *byte = if next() % 2 == 0 { next() as u8 } else { *byte ^ 1 << (next() % 8) };
            }
        }
        if next() % 8 == 0 { (next() % (len + 32)).min(longest) } else { len }
    }
}

/// Runs `each` for `cases` inputs. Shrinks and shows an input that fails.
fn for_many<S: Strategy>(cases: u32, strategy: S, each: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |input| {
        each(input);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn the_corpus_of_the_loader() {
    let inputs = corpus("load");
    assert!(inputs.len() > 50, "{} inputs", inputs.len());
    // Names of the loader's results for the inputs as they are and after repair.
    let name = |result: Result<(), _>| result.err().map_or("Ok".to_owned(), |error| format!("{error:?}"));
    let mut seen = BTreeSet::new();
    for (_, bytes) in &inputs {
        for result in [check(bytes), load(bytes)] {
            seen.insert(name(result).split([' ', '{']).next().unwrap().to_owned());
        }
    }
    assert!(seen.contains("Ok") && seen.len() > 12, "{seen:?}");
}

#[test]
fn the_corpus_of_the_generator() {
    let inputs = corpus("generate");
    let ran = |precision| inputs.iter().filter(|(_, bytes)| generate(bytes) == Outcome::Ran(precision)).count();
    for precision in [Precision::F32, Precision::Int8, Precision::Int4] {
        assert!(ran(precision) > 10, "{precision:?} among {} inputs", inputs.len());
    }
}

#[test]
fn any_bytes_into_the_loader() {
    for_many(10_000, prop::collection::vec(any::<u8>(), 0..400), |mut bytes| {
        let _ = load(&bytes);
        seal(&mut bytes);
        let _ = load(&bytes);
    });
}

#[test]
fn changed_models_into_the_loader() {
    for_many(30_000, changed("load"), |(mut bytes, seeds)| {
        let mut len = bytes.len();
        bytes.resize(LONGEST.max(len), 0);
        for seed in seeds {
            len = mutate(&mut bytes, len, seed, &mut generic(seed));
            let _ = load(&bytes[..len]);
        }
    });
}

#[test]
fn changed_models_at_work() {
    for_many(2_000, changed("generate"), |(mut bytes, seeds)| {
        let mut len = bytes.len();
        bytes.resize(LONGEST.max(len), 0);
        for seed in seeds {
            len = mutate_with_settings(&mut bytes, len, SETTINGS, seed, &mut generic(seed));
            generate(&bytes[..len]);
        }
    });
}

#[test]
fn invented_models_at_work() {
    let bytes = prop::collection::vec(any::<u8>(), SETTINGS + 60..SETTINGS + 120);
    let (mut ran, all) = (std::cell::Cell::new(0), 1_000);
    for_many(all, bytes, |mut bytes| {
        // Invented, not made of the bytes; the other settings remain.
        bytes[0] |= 1;
        if let Some(blob) = invent(&bytes[SETTINGS..]) {
            assert_eq!(check(&blob), Ok(()));
        }
        ran.set(ran.get() + u32::from(matches!(generate(&bytes), Outcome::Ran(_))));
    });
    assert!(*ran.get_mut() > all / 4, "{ran:?} of {all} ran");
}
