//! The train, dev and test words of a list.

use super::python_random::PythonRandom;
use super::torch_random::randperm;

/// Seed of the lecture's split. The training's seed does not change a split.
const LECTURE_SEED: u32 = 42;
/// Seed of `makemore.py`.
const MAKEMORE_SEED: u32 = 3407;
/// Largest number of test words of `makemore.py`; of a list with fewer than ten times as many words, it takes a tenth.
const MAKEMORE_TEST: usize = 1000;

/// Rule that splits a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitRule {
    /// The lecture's: Python's `random.seed(42)`, `random.shuffle(words)`, then 80 %, 10 %, 10 %.
    #[default]
    Lecture,
    /// `makemore.py`'s: the last 1,000 words of a permutation are the test words, all others train. It has no dev
    /// words, so the dev split is the test split, and nothing may be chosen on it.
    Makemore,
    /// nanoGPT's, for a text: the first 90 % of the characters train, the last 10 % are both dev and test.
    Text,
}

impl SplitRule {
    /// The rules for lists of words.
    pub const OF_WORDS: &'static [Self] = &[Self::Lecture, Self::Makemore];

    /// Returns the rule's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lecture => "lecture",
            Self::Makemore => "makemore",
            Self::Text => "text",
        }
    }

    /// Returns the rule with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::OF_WORDS.iter().copied().chain([Self::Text]).find(|rule| rule.name() == name)
    }

    /// Returns whether the dev words are others than the test words, so that training may choose on them.
    pub fn has_dev_words(self) -> bool {
        match self {
            Self::Lecture => true,
            Self::Makemore | Self::Text => false,
        }
    }

    /// Splits a list of at least [`super::MIN_WORDS`] words, or a text.
    pub(super) fn split(self, words: &[String]) -> Split {
        match self {
            Self::Lecture => {
                let count = words.len();
                let mut train = words.to_vec();
                PythonRandom::new(LECTURE_SEED).shuffle(&mut train);
                // Python's `int(0.8 * len(words))`, which also computes in f64.
                let (first, second) = ((0.8 * count as f64) as usize, (0.9 * count as f64) as usize);
                let test = train.split_off(second);
                let dev = train.split_off(first);
                Split { train, dev, test }
            }
            Self::Makemore => {
                let permutation = randperm(MAKEMORE_SEED, words.len());
                let mut train: Vec<String> = permutation.into_iter().map(|index| words[index].clone()).collect();
                // Python's `int(len(words) * 0.1)`.
                let tests = MAKEMORE_TEST.min((words.len() as f64 * 0.1) as usize);
                let test = train.split_off(words.len() - tests);
                Split { train, dev: test.clone(), test }
            }
            Self::Text => {
                let text = words.concat();
                let first = text.chars().count() * 9 / 10;
                let (at, _) = text.char_indices().nth(first).unwrap_or((text.len(), ' '));
                let (train, test) = text.split_at(at);
                Split { train: vec![train.to_owned()], dev: vec![test.to_owned()], test: vec![test.to_owned()] }
            }
        }
    }
}

/// The three parts of a list or text.
#[derive(Clone, Debug)]
pub struct Split {
    /// Words that the model learns from.
    pub train: Vec<String>,
    /// Words on which models and settings are compared.
    pub dev: Vec<String>,
    /// Words for the final loss, measured once.
    pub test: Vec<String>,
}
