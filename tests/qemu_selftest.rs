//! Programs print an error and end if the chip does not compute the same as the exporting host.

use std::path::Path;

use runtime::Model;
use runtime::format::{AlignedBlob, PREAMBLE_BYTES, SLAB_ALIGN, checksum};
use tests::{Firmware, blob};
use xtask::emulator::report;

/// Returns `tiny.int8.blob` with another first character in its golden text: a valid blob whose logits differ from the
/// promised ones.
fn broken_promise() -> Vec<u8> {
    let blob = blob("tiny.int8.blob");
    let model = Model::new(blob.as_bytes()).expect("a shipped model");
    let mut bytes = blob.as_bytes().to_vec();
    // The golden text is the last array of the slab.
    let at = bytes.len() - model.golden().len().next_multiple_of(SLAB_ALIGN);
    assert_eq!(bytes[at], model.golden()[0]);
    bytes[at] = if bytes[at] == 1 { 2 } else { 1 };
    let crc32 = checksum(&bytes).to_le_bytes();
    bytes[PREAMBLE_BYTES - 4..PREAMBLE_BYTES].copy_from_slice(&crc32);
    assert!(Model::new(AlignedBlob::from(bytes.as_slice()).as_bytes()).is_ok());
    bytes
}

#[test]
fn a_failed_self_test_stops_every_program() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken-promise.blob");
    std::fs::write(&path, broken_promise()).expect("a place for it");
    for bin in ["generate", "selftest"] {
        let run = Firmware::build_with("microbit", bin, &path).run(&[]);
        assert!(!run.success());
        let [line] = &run.lines[..] else { panic!("{:?}", run.lines) };
        assert!(line.starts_with("error: self-test failed: logits have checksum "), "{line}");
    }
}

#[test]
fn a_passed_self_test_is_reported() {
    let run = Firmware::build("microbit", "selftest", "tiny.int8.blob").run(&["contexts=3", "n=2"]);
    assert!(run.success(), "{:?}", run.lines);
    let (_, facts) = report(&run.lines);
    assert_eq!(facts["self_test"], "pass");
    assert_eq!((facts["contexts"], facts["words"], facts["board"]), ("3", "2", "microbit"));
}
