use rand_core::Rng;

use super::engine::Engine;
use super::output::{Activations, Logits};
use super::state::StateMut;
use super::{Model, each};
use crate::error::{PromptError, StateError};
use crate::sampling::Sampling;
use crate::vocab::{BOUNDARY, Token};

/// Probability that a model assigns to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Score {
    /// Negative log-likelihood of the word, in millionths of a nat.
    pub nll_micronats: u64,
    /// Number of characters that the sum covers: the word's, and its final boundary.
    pub characters: usize,
}

/// A model and its state: takes one character at a time and computes the logits for the next one.
///
/// The logits equal, bit by bit, those of a whole window of the last `block_size` characters, padded with the boundary,
/// but cost only one node per level.
///
/// ```
/// # use runtime::{Model, State, Stream, state_words};
/// # #[cfg(feature = "f32")]
/// # static BLOB: &[u8] = runtime::include_blob!("../../models/tiny.blob");
/// # #[cfg(not(feature = "f32"))]
/// # static BLOB: &[u8] = runtime::include_blob!("../../models/tiny.int8.blob");
/// let model = Model::new(BLOB)?;
/// let mut state = State::<{ state_words(BLOB) }>::new();
/// let mut stream = Stream::new(&model, &mut state)?;
/// let e = model.vocab().encode('e')?;
/// let surprise = stream.nll_micronats(e); // of an e at the start
/// stream.push(e);
/// assert_eq!(stream.logits().len(), model.config().vocab_size());
/// # assert!(surprise > 0);
/// # Ok::<(), runtime::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream<'m> {
    model: &'m Model<'m>,
    engine: Engine<'m>,
}

impl<'m> Stream<'m> {
    /// Ties a model to its state, at the start of a word.
    ///
    /// # Errors
    /// [`StateError::TooSmall`] with the number of 32-bit words that the model needs.
    pub fn new(model: &'m Model<'m>, state: impl Into<StateMut<'m>>) -> Result<Self, StateError> {
        let mut stream = Self::unready(model, state.into())?;
        stream.reset();
        Ok(stream)
    }

    /// Does the same as [`Stream::new`], without computing the logits. A [`Stream::reset`] must follow.
    pub(crate) fn unready(model: &'m Model<'m>, state: StateMut<'m>) -> Result<Self, StateError> {
        Ok(Self { model, engine: Engine::new(model, state)? })
    }

    /// Returns the model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Returns to the start of a word, as if all characters so far were boundaries. Takes the time of one
    /// [`Stream::push`].
    pub fn reset(&mut self) {
        let header = &self.model.header;
        each!(Engine, &mut self.engine, run => run.start(header));
    }

    /// Takes a character and computes the logits for the next one. A token outside the vocabulary counts as the
    /// boundary.
    pub fn push(&mut self, token: Token) {
        let header = &self.model.header;
        each!(Engine, &mut self.engine, run => run.push(header, token));
    }

    /// Does the same as [`Stream::push`], and passes the output of every level to `observe`, for tools that examine
    /// where a number format loses accuracy.
    ///
    /// `observe` receives the index of the level, counted from the characters up, and its `width` values. A program
    /// that never calls this function pays nothing for it: [`Stream::push`] is compiled without it.
    pub fn push_observed(&mut self, token: Token, observe: &mut dyn FnMut(usize, Activations<'_>)) {
        let header = &self.model.header;
        each!(Engine, &mut self.engine, run => run.push_observed(header, token, observe));
    }

    /// Returns the logits for the next character.
    pub fn logits(&self) -> Logits<'_> {
        let vocab_size = self.model.config().vocab_size();
        each!(Engine, &self.engine, run => run.logits(vocab_size).into())
    }

    /// Draws the next character. This overwrites the logits: push a character before reading them again.
    pub fn draw(&mut self, sampling: &Sampling, rng: &mut impl Rng) -> Token {
        let vocab_size = self.model.config().vocab_size();
        each!(Engine, &mut self.engine, run => sampling.draw(run.logits_mut(vocab_size), rng))
    }

    /// Returns the negative log-likelihood of `token` as the next character, in millionths of a nat.
    ///
    /// In integers it is off by at most 60; in single precision by at most 2 plus a quarter of the larger of the score
    /// and the largest logit, both in nats. From 4,294 nats on, and for a token outside the vocabulary, it is
    /// [`u32::MAX`].
    pub fn nll_micronats(&self, token: Token) -> u32 {
        let vocab_size = self.model.config().vocab_size();
        each!(Engine, &self.engine, run => run.nll_micronats(vocab_size, token))
    }

    /// Returns the negative log-likelihood of a whole word, from its start to its final boundary.
    ///
    /// Afterwards the stream is at the start of a word.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] with the first character that the model does not know.
    pub fn score(&mut self, word: &str) -> Result<Score, PromptError> {
        let vocab = self.model.vocab();
        // Checks all characters first, so that an error changes nothing.
        word.chars().try_for_each(|character| vocab.encode(character).map(drop))?;
        self.reset();
        let mut score = Score { nll_micronats: 0, characters: 1 };
        for token in word.chars().filter_map(|character| vocab.encode(character).ok()) {
            score.nll_micronats += u64::from(self.nll_micronats(token));
            self.push(token);
            score.characters += 1;
        }
        score.nll_micronats += u64::from(self.nll_micronats(BOUNDARY));
        self.reset();
        Ok(score)
    }
}
