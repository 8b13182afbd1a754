//! Any model at work, made of bytes or invented from them.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
use runtime_fuzz::generate::{Outcome, SETTINGS, generate};

// What does not run teaches nothing: `load` has the loader.
fuzz_target!(|bytes: &[u8]| -> Corpus {
    if generate(bytes) == Outcome::Refused { Corpus::Reject } else { Corpus::Keep }
});

fuzz_mutator!(|bytes: &mut [u8], len: usize, longest: usize, seed: u32| {
    runtime_fuzz::mutate::mutate_with_settings(&mut bytes[..longest.max(len)], len, SETTINGS, seed, &mut fuzzer_mutate)
});
