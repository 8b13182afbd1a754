//! Compares streaming with rings to whole windows computed naively: equal bit by bit.

#[cfg(feature = "f32")]
mod f32;
#[cfg(feature = "int8")]
mod integer;

use proptest::prelude::*;
#[cfg(feature = "int8")]
use runtime::Stream;
use runtime::batch::{Batch, word_seed};
use runtime::{Generator, HeapState, Model, Provenance, Sampling};

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
