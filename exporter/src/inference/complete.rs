//! The most probable ways in which a word can go on: exact, not drawn.
//!
//! Beginnings of words form a tree, and a word is never more probable than its beginning. So the most probable beginning is
//! always taken up first, and what is less probable than the last of the words found so far is never taken up at all. What
//! comes out is what a list of all words, sorted, would begin with.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use runtime::{BOUNDARY, HeapState, Model, PromptError, Stream, Token};

use crate::data::alphabet::explain;

/// Beginnings taken up before the search is given up: some seconds of work.
pub const MAX_BEGINNINGS: usize = 1_000_000;

/// A whole word.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The word, the prefix included.
    pub word: String,
    /// Negative log-likelihood in nats of all that follows the prefix, the end of the word included.
    pub nll: f64,
}

impl Completion {
    /// How probable this word is among all that begin with the prefix.
    pub fn probability(&self) -> f64 {
        (-self.nll).exp()
    }
}

/// Why there are no completions.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The model cannot read the prefix, or it is too long.
    #[error("prefix {prefix:?}: {reason}")]
    Prefix {
        /// What was given.
        prefix: String,
        /// Why.
        reason: String,
    },
    /// The search takes too long.
    #[error(
        "{found} of {asked} words were found among {MAX_BEGINNINGS} beginnings: ask for fewer, or for shorter ones (--max-len)"
    )]
    TooMany {
        /// How many were asked for.
        asked: usize,
        /// How many were certain.
        found: usize,
    },
}

/// The `count` most probable words of at most `max_len` characters that begin with `prefix`, the most probable first; among
/// equals the one whose characters stand first in the vocabulary.
///
/// # Errors
/// [`CompleteError`] says why there are none.
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
    let start: Vec<Token> = prefix.chars().map(|c| vocab.encode(c)).collect::<Result<_, _>>().map_err(refused)?;
    if start.len() > max_len {
        return Err(refused(PromptError::TooLong { len: start.len(), max: max_len }));
    }
    let mut state = HeapState::new(model);
    let mut stream = Stream::new(model, &mut state).expect("made for this model");
    let block_size = model.config().block_size();
    let tokens = 1..=Token::try_from(vocab.len() - 1).expect("at most 256 characters");
    // Micronats, so that ties are ties. The smallest first; whole words end with the boundary.
    let mut open = BinaryHeap::from([Reverse((0_u64, start.clone()))]);
    // The worst of the best words so far on top: what is worse than `count` of them is of no interest.
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
        // The model sees no further back than this.
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
