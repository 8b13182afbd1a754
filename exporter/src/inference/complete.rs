//! Finds the most probable words that begin with a prefix: an exact search, nothing is drawn.
//!
//! Beginnings of words form a tree, and a word is never more probable than its beginning. The search always continues
//! the most probable beginning, and drops beginnings that are less probable than the last of the words found so far.
//! The result is the head of the list of all words, sorted by probability.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use runtime::{BOUNDARY, HeapState, Model, PromptError, Stream, Token};

use crate::data::alphabet::explain;

/// Beginnings that the search continues before it stops: some seconds of work.
pub const MAX_BEGINNINGS: usize = 1_000_000;

/// A word that begins with the prefix.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The word, the prefix included.
    pub word: String,
    /// Negative log-likelihood of the characters after the prefix and of the word's end, in nats.
    pub nll: f64,
}

impl Completion {
    /// Returns the word's probability among all words that begin with the prefix.
    pub fn probability(&self) -> f64 {
        (-self.nll).exp()
    }
}

/// Reasons why there are no completions.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The model cannot read the prefix, or it is too long.
    #[error("prefix {prefix:?}: {reason}")]
    Prefix {
        /// The prefix.
        prefix: String,
        /// The reason.
        reason: String,
    },
    /// The search takes too long.
    #[error(
        "the search stopped after {MAX_BEGINNINGS} beginnings with {found} of {asked} words: ask for fewer words, or for \
         shorter ones (--max-len)"
    )]
    TooMany {
        /// Number of words asked for.
        asked: usize,
        /// Number of words that are certain.
        found: usize,
    },
}

/// Returns the `count` most probable words of at most `max_len` characters that begin with `prefix`, the most probable
/// first. Equally probable words are in the order of the vocabulary.
///
/// # Errors
/// [`CompleteError`] has the reason.
///
/// # Panics
/// Never: a heap state fits its model.
pub fn complete(
    model: &Model<'_>,
    prefix: &str,
    count: usize,
    max_len: usize,
) -> Result<Vec<Completion>, CompleteError> {
    let vocab = model.vocab();
    let refused = |error: PromptError| CompleteError::Prefix {
        prefix: prefix.to_owned(),
        reason: explain(&error, prefix, vocab.as_str()),
    };
    if vocab.is_of_text() {
        return Err(CompleteError::Prefix {
            prefix: prefix.to_owned(),
            reason: "a model of text has no words to complete; `sample --prompt` continues a text".to_owned(),
        });
    }
    let start: Vec<Token> = prefix.chars().map(|c| vocab.encode(c)).collect::<Result<_, _>>().map_err(refused)?;
    if start.len() > max_len {
        return Err(refused(PromptError::TooLong { len: start.len(), max: max_len }));
    }
    let mut state = HeapState::new(model);
    let mut stream = Stream::new(model, &mut state).expect("made for this model");
    let block_size = model.config().block_size();
    let tokens = 1..=Token::try_from(vocab.len() - 1).expect("at most 256 characters");
    // Beginnings with their negative log-likelihoods, the smallest first: in whole micronats, so that ties are exact.
    let mut open = BinaryHeap::from([Reverse((0_u64, start.clone()))]);
    // The best words so far, the worst of them on top: `count` at most.
    let mut best: BinaryHeap<(u64, Vec<Token>)> = BinaryHeap::new();
    let mut taken = 0;
    while let Some(Reverse((nll, beginning))) = open.pop() {
        if best.len() == count && best.peek().is_none_or(|worst| worst.0 <= nll) {
            break;
        }
        if taken == MAX_BEGINNINGS {
            let found = best.iter().filter(|word| word.0 <= nll).count();
            return Err(CompleteError::TooMany { asked: count, found });
        }
        taken += 1;
        // The model sees at most `block_size` characters.
        stream.reset();
        beginning[beginning.len().saturating_sub(block_size)..].iter().for_each(|&token| stream.push(token));
        best.push((nll + u64::from(stream.nll_micronats(BOUNDARY)), beginning.clone()));
        if best.len() > count {
            best.pop();
        }
        if beginning.len() == max_len {
            continue;
        }
        for token in tokens.clone() {
            let nll = nll + u64::from(stream.nll_micronats(token));
            if best.len() < count || best.peek().is_some_and(|worst| nll < worst.0) {
                let mut longer = beginning.clone();
                longer.push(token);
                open.push(Reverse((nll, longer)));
            }
        }
    }
    let word = |(nll, tokens): (u64, Vec<Token>)| Completion {
        word: tokens.into_iter().filter_map(|token| vocab.decode(token)).collect(),
        nll: nll as f64 / 1e6,
    };
    Ok(best.into_sorted_vec().into_iter().map(word).collect())
}
