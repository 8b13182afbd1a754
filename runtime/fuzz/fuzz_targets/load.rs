//! Fuzz target: loads any bytes. The mutator makes their checksum right.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| {
    let _ = runtime_fuzz::load::load(bytes);
});

fuzz_mutator!(|bytes: &mut [u8], len: usize, longest: usize, seed: u32| {
    runtime_fuzz::mutate::mutate(&mut bytes[..longest.max(len)], len, seed, &mut fuzzer_mutate)
});
