//! Fuzz target: runs a model made of the input, or invented from it.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
use runtime_fuzz::generate::{Outcome, SETTINGS, generate};

// An input that does not run teaches nothing here; the target `load` covers the loader.
fuzz_target!(|bytes: &[u8]| -> Corpus {
    if generate(bytes) == Outcome::Refused { Corpus::Reject } else { Corpus::Keep }
});

fuzz_mutator!(|bytes: &mut [u8], len: usize, longest: usize, seed: u32| {
    runtime_fuzz::mutate::mutate_with_settings(&mut bytes[..longest.max(len)], len, SETTINGS, seed, &mut fuzzer_mutate)
});
