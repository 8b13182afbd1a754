//! Runs the bodies of the fuzz targets (`exporter/fuzz`) on the stable toolchain: over the committed corpus, and over
//! some thousand random and changed inputs.

#[path = "../fuzz/src/bodies/mod.rs"]
mod bodies;

use std::fs;
use std::path::Path;

use bodies::import::import as import_bytes;
use bodies::network::{invent, seal};
use bodies::words::words;
// The bodies import these modules from their own crate.
use exporter::{data, import, model};
use proptest::prelude::*;
use proptest::sample::Index;

/// Returns the committed inputs of a target: useful ones that fuzzers found, and inputs that once failed.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let folders = ["seeds", "regressions"].map(|folder| fuzz.join(folder).join(target));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| !path.ends_with(".gitkeep")).map(|path| fs::read(path).unwrap()).collect()
}

/// Imports an input as the fuzz target does: as a file, or as bytes from which a file is invented.
fn import_input(bytes: &[u8]) -> usize {
    match bytes.split_first() {
        Some((1, rest)) => import_bytes(&invent(rest)),
        Some((_, rest)) => import_bytes(rest),
        None => 0,
    }
}

/// Returns inputs of a target with a few bytes changed, some of them cut short.
fn changed(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..4);
    (prop::sample::select(corpus(target)), changes, any::<Index>(), any::<u8>()).prop_map(
        |(mut bytes, changes, len, cut)| {
            if !bytes.is_empty() {
                changes.into_iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = byte);
                bytes.truncate(if cut < 32 { len.index(bytes.len()) } else { bytes.len() });
            }
            bytes
        },
    )
}

#[test]
fn the_corpus_of_networks() {
    let inputs = corpus("import");
    let networks = inputs.iter().filter(|bytes| import_input(bytes) > 0).count();
    assert!(networks > 20, "{networks} of {}", inputs.len());
}

#[test]
fn the_corpus_of_word_lists() {
    let inputs = corpus("words");
    let lists = inputs.iter().filter(|bytes| words(bytes).is_ok_and(|count| count >= data::MIN_WORDS)).count();
    assert!(lists > 0 && lists < inputs.len(), "{lists} of {}", inputs.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_networks(bytes in changed("import")) {
        import_input(&bytes);
    }

    #[test]
    fn any_bytes_as_a_network(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        import_bytes(&bytes);
        import_bytes(&invent(&bytes));
        let mut sealed = invent(&bytes);
        seal(&mut sealed);
        import_bytes(&sealed);
    }

    #[test]
    fn changed_word_lists(bytes in changed("words")) {
        let _ = words(&bytes);
    }

    #[test]
    fn any_text_as_a_word_list(text in "([a-é]{0,5}[\u{0}-\u{3000}]?[\r\n \t]){0,40}") {
        let _ = words(text.as_bytes());
    }
}
