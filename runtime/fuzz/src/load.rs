//! Loads any bytes.

use std::fmt::Write;

use runtime::limits::MAX_GOLDEN;
use runtime::limits::{MAX_BLOCK_SIZE, MAX_LEVELS, MAX_VOCAB_SIZE, MIN_VOCAB_SIZE};
use runtime::{BOUNDARY, FormatError, Model, state_words};

use super::blob::{Exact, repair};

/// Maximum number of repairs of one blob: a model of a few layers has about as many arrays.
const REPAIRS: usize = 8;

/// Loads the bytes. While the loader's error says how to repair them, repairs and loads them again. Returns the last
/// result.
pub fn load(bytes: &[u8]) -> Result<(), FormatError> {
    let mut result = check(bytes);
    let mut bytes = bytes.to_vec();
    for _ in 0..REPAIRS {
        match result {
            Err(error) if repair(&mut bytes, error) => result = check(&bytes),
            _ => break,
        }
    }
    result
}

/// Loads the bytes as they are.
pub fn check(bytes: &[u8]) -> Result<(), FormatError> {
    let blob = Exact::new(bytes, 0);
    let result = Model::new(blob.bytes());
    let loaded = result.as_ref().map(drop).map_err(|&error| error);
    match result {
        Ok(model) => look_at(&model, bytes),
        Err(error) => write!(Sink, "{error}").expect("it takes everything"),
    }
    // A blob loads at any aligned address, and at no other.
    if loaded.is_ok() {
        assert!(Model::new(Exact::new(bytes, 4).bytes()).is_ok(), "four bytes after a multiple of 16");
        let error = Model::new(Exact::new(bytes, 1).bytes()).map(drop);
        assert_eq!(error, Err(FormatError::Misaligned { need: 4 }), "a byte after a multiple of four");
    }
    loaded
}

/// Reads everything that a model says of itself.
fn look_at(model: &Model<'_>, bytes: &[u8]) {
    assert_eq!(model.state_words(), state_words(bytes));
    let (config, vocab) = (model.config(), model.vocab());
    assert!((MIN_VOCAB_SIZE..=MAX_VOCAB_SIZE).contains(&config.vocab_size()));
    assert!((1..=MAX_LEVELS).contains(&config.levels().len()));
    assert!((2..=MAX_BLOCK_SIZE).contains(&config.block_size()));
    assert!(config.macs_streaming() <= config.parameters() && model.macs_streaming() <= config.macs_streaming());
    assert_eq!(model.weight_formats().len(), config.levels().len() + 1);
    assert_eq!((vocab.len(), vocab.as_str().chars().count()), (config.vocab_size(), config.vocab_size()));
    assert_eq!(vocab.decode(BOUNDARY), None);
    for (token, character) in (0..=u8::MAX).zip(vocab.as_str().chars()).skip(1) {
        assert_eq!((vocab.encode(character), vocab.decode(token)), (Ok(token), Some(character)));
    }
    assert!(u8::try_from(vocab.len()).map_or(true, |outside| vocab.decode(outside).is_none()));
    assert!(model.golden().len() <= MAX_GOLDEN);
    assert!(model.golden().iter().all(|&token| usize::from(token) < vocab.len()));
    assert!(model.provenance().preset.len() < bytes.len());
    write!(Sink, "{vocab:?} {config:?}").expect("it takes everything");
}

/// Sink that discards text: only a panic while the text is formatted matters.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        Ok(())
    }
}
