//! Compares streaming with rings to whole windows computed naively: equal bit by bit.

#[cfg(feature = "f32")]
mod f32;
#[cfg(feature = "int8")]
mod integer;

use proptest::prelude::*;
use runtime::batch::{Batch, word_seed};
use runtime::{Activations, Generator, HeapState, Logits, Model, Provenance, Sampling, Stream};

const NO_PROVENANCE: Provenance<'_> = Provenance { preset: "random", ..Provenance::UNKNOWN };

/// Strategy for fuse factors of 2, 3, 4 and 8 whose product is at most 16.
fn fuses() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = [
        &[2][..],
        &[3],
        &[4],
        &[8],
        &[2, 2],
        &[2, 3],
        &[3, 2],
        &[2, 4],
        &[4, 2],
        &[3, 3],
        &[3, 4],
        &[4, 3],
        &[4, 4],
        &[2, 8],
        &[8, 2],
        &[2, 2, 2],
        &[2, 2, 3],
        &[2, 3, 2],
        &[3, 2, 2],
        &[2, 2, 4],
        &[4, 2, 2],
        &[2, 4, 2],
        &[2, 2, 2, 2],
    ]
    .iter()
    .map(|fuses| fuses.to_vec())
    .collect();
    prop::sample::select(all)
}

/// Returns the bits of each number.
fn bits(values: &[f32]) -> Vec<i64> {
    values.iter().map(|value| value.to_bits().into()).collect()
}

/// Returns the logits: integers, or the bits of each number in single precision.
fn logits(stream: &Stream<'_>) -> Vec<i64> {
    match stream.logits() {
        Logits::Fixed(logits) => logits.iter().map(|&logit| logit.into()).collect(),
        Logits::F32(logits) => bits(logits),
        other => panic!("new logits: {other:?}"),
    }
}

/// Pushes a token. Returns the outputs of all levels, then the logits, each as [`logits`] does.
fn push_observed(stream: &mut Stream<'_>, token: u8) -> Vec<Vec<i64>> {
    let mut seen = Vec::new();
    stream.push_observed(token, &mut |level, values| {
        assert_eq!(level, seen.len(), "from the characters up");
        seen.push(match values {
            Activations::Fixed(values) => values.iter().map(|&value| value.into()).collect(),
            Activations::F32(values) => bits(values),
            other => panic!("new activations: {other:?}"),
        });
    });
    seen.push(logits(stream));
    seen
}

/// Compares a stream with whole windows, at the start and after each token. `forward` returns the newest node of every
/// level and the logits for a window, computed naively, in the form of [`push_observed`].
fn check_stream(
    model: &Model<'_>,
    tokens: &[u8],
    forward: impl Fn(&[u8]) -> Vec<Vec<i64>>,
) -> Result<(), TestCaseError> {
    let vocab_size = model.config().vocab_size();
    let mut state = HeapState::new(model);
    let mut stream = Stream::new(model, &mut state).unwrap();
    // Twice, because a reset must remove every trace of earlier characters; the second time under observation.
    for observed in [false, true] {
        let mut window = vec![0; model.config().block_size()];
        let expected = forward(&window);
        prop_assert_eq!(Some(&logits(&stream)), expected.last(), "at the start");
        for (at, token) in tokens.iter().map(|&token| usize::from(token) % (vocab_size + 1)).enumerate() {
            window.rotate_left(1);
            // A token beyond the vocabulary counts as the boundary.
            *window.last_mut().unwrap() = if token < vocab_size { token as u8 } else { 0 };
            let expected = forward(&window);
            if observed {
                prop_assert_eq!(push_observed(&mut stream, token as u8), expected, "after character {}", at);
            } else {
                stream.push(token as u8);
                prop_assert_eq!(Some(&logits(&stream)), expected.last(), "after character {}", at);
            }
        }
        stream.reset();
    }
    Ok(())
}

/// Checks that words drawn together equal words drawn separately.
fn check_batch(model: &Model<'_>) {
    let sampling = Sampling::default().temperature_milli(2000);
    let words = Batch::new(model, sampling).max_len(10).words(5, 0..40, 1);
    let mut state = HeapState::new(model);
    for (index, word) in words.iter().enumerate() {
        let seed = word_seed(5, index as u64);
        let mut generator = Generator::new(model, &mut state, sampling, seed).unwrap().max_len(10);
        let alone: String = generator.start("").unwrap().collect();
        assert_eq!(word.text, alone, "word {index}");
    }
}

/// Checks that two forms of one model have the same logits.
#[cfg(feature = "int8")]
fn check_same(one: &Model<'_>, other: &Model<'_>, tokens: &[u8]) {
    let (mut first, mut second) = (HeapState::new(one), HeapState::new(other));
    let (mut one, mut other) = (Stream::new(one, &mut first).unwrap(), Stream::new(other, &mut second).unwrap());
    for &token in tokens {
        assert_eq!(one.logits(), other.logits());
        one.push(token);
        other.push(token);
    }
    assert_eq!(one.logits(), other.logits());
}

/// Returns a vocabulary of this size.
fn vocab(size: usize) -> String {
    ('.'..).filter(|&c| c == '.' || c > 'Z').take(size).collect()
}

/// Returns the number of columns of the output layer.
fn output_columns(skip: bool, widths: &[u16]) -> usize {
    let columns = |widths: &[u16]| widths.iter().map(|&width| usize::from(width)).sum();
    columns(if skip { widths } else { &widths[widths.len() - 1..] })
}
