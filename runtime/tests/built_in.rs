//! Tests the source that a build script gets for a model. `tests/built_in.rs` of the repository runs programs made with
//! it.

use std::fs;

use runtime::built_in::{is_intact, source, words};
use runtime::format::{AlignedBlob, checksum};
use runtime::{FormatError, Model};

fn blob(name: &str) -> Vec<u8> {
    fs::read(format!("models/{name}")).unwrap()
}

#[test]
fn the_source_says_what_the_loader_finds() {
    for name in ["tiny.blob", "tiny.int8.blob", "tiny.int4.blob"] {
        let blob = blob(name);
        let text = source(&blob, "some/model.blob").unwrap();
        let aligned = AlignedBlob::from(blob.as_slice());
        let model = Model::new(aligned.as_bytes()).unwrap();
        let config = model.config();
        for line in [
            format!("pub const STATE_WORDS: usize = {};", model.state_words()),
            // Without it, a blob of more than 1.5 MB stops the build.
            "#[allow(long_running_const_eval".to_owned(),
            format!("pub static BLOB: runtime::Aligned<[u32; {}]> =", blob.len() / 4),
            "include_bytes!(\"some/model.blob\")".to_owned(),
            format!("precision: Precision::{:?},", model.precision()),
            format!("layout: Layout::{:?},", model.layout()),
            format!("activation: Activation::{:?},", config.activation()),
            format!("vocab_size: {},", config.vocab_size()),
            format!("n_embd: {},", config.n_embd()),
            format!("Level {{ fuse: {}, width: {} }},", config.levels()[0].fuse, config.levels()[0].width),
            format!("WeightFormat::{:?},", model.weight_formats()[0]),
            format!("vocab: {:?},", model.vocab().as_str()),
            format!("golden: &{:?},", model.golden()),
            format!("crc32: {:#010x},", checksum(aligned.as_bytes())),
            format!("skip: {},", config.skip()),
            format!("golden_crc32: {:#010x},", model.golden_crc32()),
        ] {
            assert!(text.contains(&line), "{name}: no {line} in\n{text}");
        }
    }
}

#[test]
fn what_the_loader_refuses_has_no_source() {
    let mut blob = blob("tiny.int8.blob");
    assert!(matches!(source(&blob[..100], ""), Err(FormatError::Truncated { .. })));
    blob[500] ^= 1;
    assert!(matches!(source(&blob, ""), Err(FormatError::ChecksumMismatch { .. })));
}

#[test]
fn a_flipped_bit_is_found() {
    static TINY: runtime::Aligned<[u32; include_bytes!("../models/tiny.int8.blob").len() / 4]> =
        words(include_bytes!("../models/tiny.int8.blob"));
    let mut blob = TINY.0;
    assert!(is_intact(&blob));
    for word in (0..blob.len()).step_by(7) {
        blob[word] ^= 1 << (word % 32);
        assert!(!is_intact(&blob), "word {word}");
        blob[word] ^= 1 << (word % 32);
    }
    assert!(!is_intact(&blob[..3]) && !is_intact(&[]));
}

#[test]
#[should_panic = "not the one that was checked"]
fn a_blob_that_is_longer_is_another() {
    words::<2>(&[0; 12]);
}
