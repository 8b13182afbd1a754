//! Fuzzes the reading of word lists with arbitrary bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = exporter_fuzz::bodies::words::words(bytes);
});
