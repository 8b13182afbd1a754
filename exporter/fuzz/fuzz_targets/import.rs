//! Fuzzes the import with arbitrary bytes, and with state dicts invented from them.
#![no_main]

use exporter_fuzz::bodies::{import::import, network};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((1, rest)) => import(&network::invent(rest)),
        Some((_, rest)) => import(rest),
        None => 0,
    };
});

fuzz_mutator!(|bytes: &mut [u8], len: usize, longest: usize, seed: u32| {
    let len = fuzzer_mutate(bytes, len, longest);
    if bytes.first() == Some(&0) && !seed.is_multiple_of(8) {
        network::seal(&mut bytes[1..len.max(1)]);
    }
    len
});
