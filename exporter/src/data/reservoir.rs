//! Samples a list that is too long for the memory.

use super::python_random::PythonRandom;

/// The seed of the sample, fixed so that the sample is the same every time.
const SEED: u32 = 42;
/// Average bytes of text per word that may be held.
const WORD_BYTES: usize = 16;
/// Bytes of text that may be held however low the limit of words is.
const MIN_TEXT_BYTES: usize = 1 << 20;

/// Size of a sample and of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Words in the sample, before duplicates are dropped.
    pub words: usize,
    /// Words in the list.
    pub of: usize,
}

/// A uniform sample of a stream of unknown length.
///
/// The first `limit` words are kept. After that, each new word replaces a random one with probability `limit / offered`
/// (Vitter, "Random sampling with a reservoir", 1985, algorithm R).
pub(super) struct Reservoir {
    limit: usize,
    random: PythonRandom,
    /// The words and their places in the list.
    pub words: Vec<(usize, String)>,
    offered: usize,
    /// Total bytes of the words held.
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

    /// Returns the most bytes that all words may have together.
    pub fn max_text_bytes(&self) -> usize {
        self.limit.saturating_mul(WORD_BYTES).max(MIN_TEXT_BYTES)
    }

    /// Returns the words in the order of the list, and the size of the sample unless the whole list fits.
    pub fn into_words(mut self) -> (Vec<String>, Option<Sample>) {
        self.words.sort_unstable_by_key(|&(place, _)| place);
        let words = self.words.into_iter().map(|(_, word)| word).collect();
        let sample = Sample { words: self.limit, of: self.offered };
        (words, (sample.of > sample.words).then_some(sample))
    }
}
