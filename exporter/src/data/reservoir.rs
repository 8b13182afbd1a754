//! A uniform sample of a list that is too long.

use super::python_random::PythonRandom;

/// The seed of the sample: the same words every time.
const SEED: u32 = 42;
/// Bytes of text per word that may be held, on average.
const WORD_BYTES: usize = 16;
/// Few words may be longer.
const MIN_TEXT_BYTES: usize = 1 << 20;

/// A part of a list that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Words taken, before duplicates are dropped.
    pub words: usize,
    /// Words of the list.
    pub of: usize,
}

/// A uniform sample of a stream of unknown length: all words while they are few, then each new one takes the place of a
/// random one with probability `limit / offered` (Vitter, "Random sampling with a reservoir", 1985, algorithm R).
pub(super) struct Reservoir {
    limit: usize,
    random: PythonRandom,
    /// With their places in the list.
    pub words: Vec<(usize, String)>,
    offered: usize,
    /// Bytes of the words.
    pub text_bytes: usize,
}

impl Reservoir {
    pub fn new(limit: usize) -> Self {
        Self { limit, random: PythonRandom::new(SEED), words: Vec::new(), offered: 0, text_bytes: 0 }
    }

    pub fn offer(&mut self, word: &str) {
        self.offered += 1;
        let place = if self.offered <= self.limit { self.words.len() } else { self.random.below(self.offered) };
        if place >= self.limit {
            return;
        }
        let word = (self.offered, word.to_owned());
        self.text_bytes += word.1.len();
        match self.words.get_mut(place) {
            Some(old) => self.text_bytes -= std::mem::replace(old, word).1.len(),
            None => self.words.push(word),
        }
    }

    /// Returns the largest number of bytes that all words may have together.
    pub fn max_text_bytes(&self) -> usize {
        self.limit.saturating_mul(WORD_BYTES).max(MIN_TEXT_BYTES)
    }

    /// In the order of the list, and what part of it they are, if not all.
    pub fn into_words(mut self) -> (Vec<String>, Option<Sample>) {
        self.words.sort_unstable_by_key(|&(place, _)| place);
        let words = self.words.into_iter().map(|(_, word)| word).collect();
        let sample = Sample { words: self.limit, of: self.offered };
        (words, (sample.of > sample.words).then_some(sample))
    }
}
