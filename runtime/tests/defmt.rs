//! The feature `defmt`: types that a firmware logs can be logged, and a log carries their numbers.
//!
//! The test's own logger collects the bytes. They have no texts: defmt sends a number for each text, and the reader on
//! the host looks the text up in the ELF file.

use std::sync::Mutex;

use defmt::Format;
use runtime::format::{Core, Header, Layout, Preamble, Precision, WeightFormat};
use runtime::{
    Activation, Activations, Config, End, Error, FormatError, Level, Logits, Model, PromptError, Provenance, Sampling,
    Score, SelfTestError, StateError, Vocab,
};

/// Bytes of all logs.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

// A program on a chip takes the default of defmt's linker script.
defmt::timestamp!("{=u8}", 0);

#[defmt::global_logger]
struct Collector;

#[allow(unsafe_code, reason = "the trait of loggers is unsafe")]
// SAFETY: one test logs, so no log begins within another one.
unsafe impl defmt::Logger for Collector {
    fn acquire() {}

    unsafe fn flush() {}

    unsafe fn release() {}

    unsafe fn write(bytes: &[u8]) {
        LOG.lock().unwrap().extend(bytes);
    }
}

/// Returns the bytes that a log of a value adds.
fn logged(value: impl Format) -> Vec<u8> {
    LOG.lock().unwrap().clear();
    // Unlike `info`, `println` heeds no variable of the environment.
    defmt::println!("{}", value);
    LOG.lock().unwrap().clone()
}

fn is_logged<T: Format>() {}

/// Does not compile if a type is left out.
#[test]
fn firmware_logs_errors_settings_and_facts() {
    is_logged::<Error>();
    is_logged::<FormatError>();
    is_logged::<StateError>();
    is_logged::<PromptError>();
    is_logged::<SelfTestError>();
    is_logged::<End>();
    is_logged::<Score>();
    is_logged::<Sampling>();
    is_logged::<Config>();
    is_logged::<Level>();
    is_logged::<Activation>();
    is_logged::<Precision>();
    is_logged::<Layout>();
    is_logged::<WeightFormat>();
    is_logged::<Core>();
    is_logged::<Header<'_>>();
    is_logged::<Preamble>();
    is_logged::<Provenance<'_>>();
    is_logged::<Vocab<'_>>();
    is_logged::<Logits<'_>>();
    is_logged::<Activations<'_>>();
    is_logged::<runtime::write::EncodeError>();
}

#[test]
fn a_log_carries_the_numbers() {
    let too_long = logged(PromptError::TooLong { len: 40, max: 32 });
    assert!(too_long.ends_with(&[1, 40, 0, 0, 0, 32, 0, 0, 0]), "variant 1, then its numbers: {too_long:?}");
    let unknown = logged(Error::Prompt(PromptError::UnknownCharacter { character: 'é' }));
    assert!(unknown.ends_with(&[0xe9, 0, 0, 0]), "{unknown:?}");
    let sampling = logged(Sampling::default().temperature_milli(700).top_k(5));
    assert!(sampling.ends_with(&[0xbc, 0x02, 5, 0]), "{sampling:?}");
    assert!(logged(Precision::Int4).ends_with(&[Precision::Int4.code()]));

    let blob = runtime::include_blob!("../models/tiny.int8.blob");
    let model = Model::new(blob).unwrap();
    let vocab = logged(model.vocab());
    let text = model.vocab().as_str().as_bytes();
    assert!(vocab.windows(text.len()).any(|bytes| bytes == text), "{vocab:?}");
    assert!(logged(model.config()).len() > logged(Precision::Int8).len());
}
