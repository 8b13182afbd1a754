use rand_core::Rng;

use super::engine::Engine;
use super::output::{Activations, Logits};
use super::state::StateMut;
use super::{Model, each};
use crate::error::{PromptError, StateError};
use crate::sampling::Sampling;
use crate::vocab::{BOUNDARY, Token};

/// How probable a model finds a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Negative log-likelihood in millionths of a nat.
    pub nll_micronats: u64,
    /// Characters it is spread over: those of the word, and its ending boundary.
    pub characters: usize,
}

/// A model at work: takes one character at a time, gives the logits for the next.
///
/// Equal, bit by bit, to evaluating the last `block_size` characters as a whole window, padded with the boundary: the
/// cost is one node per level.
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
    /// [`StateError::TooSmall`] with the number of words needed.
    pub fn new(model: &'m Model<'m>, state: impl Into<StateMut<'m>>) -> Result<Self, StateError> {
        let mut stream = Self::unready(model, state.into())?;
        stream.reset();
        Ok(stream)
    }

    /// [`Stream::new`] that leaves the logits to the [`Stream::reset`] that must follow.
    pub(crate) fn unready(model: &'m Model<'m>, state: StateMut<'m>) -> Result<Self, StateError> {
        Ok(Self { model, engine: Engine::new(model, state)? })
    }

    /// Returns the model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Returns to the start of a word, as if only boundaries had ever been seen. Costs as much as a [`Stream::push`].
    pub fn reset(&mut self) {
        let header = &self.model.header;
        each!(Engine, &mut self.engine, run => run.start(header));
    }

    /// Takes a character. A token outside the vocabulary counts as the boundary.
    pub fn push(&mut self, token: Token) {
        let header = &self.model.header;
        each!(Engine, &mut self.engine, run => run.push(header, token));
    }

    /// [`Stream::push`] that shows the output of every level on the way, for tools that ask where a number format loses
    /// accuracy.
    ///
    /// `observe` gets the index of the level, from the characters up, and its `width` values. A program that never calls
    /// this pays nothing for it: [`Stream::push`] is compiled without.
    pub fn push_observed(&mut self, token: Token, observe: &mut dyn FnMut(usize, Activations<'_>)) {
        let header = &self.model.header;
        each!(Engine, &mut self.engine, run => run.push_observed(header, token, observe));
    }

    /// Returns the logits for the next character.
    pub fn logits(&self) -> Logits<'_> {
        let vocab_size = self.model.config().vocab_size();
        each!(Engine, &self.engine, run => run.logits(vocab_size).into())
    }

    /// Draws the next character. Overwrites the logits: push before asking for them again.
    pub fn draw(&mut self, sampling: &Sampling, rng: &mut impl Rng) -> Token {
        let vocab_size = self.model.config().vocab_size();
        each!(Engine, &mut self.engine, run => sampling.draw(run.logits_mut(vocab_size), rng))
    }

    /// Returns the negative log-likelihood of `token` as the next character, in millionths of a nat; [`u32::MAX`] for one
    /// outside the vocabulary.
    ///
    /// Off by at most 60 in integers, in single precision by at most 2 plus a quarter for each nat of the score or of the
    /// largest logit, whichever is more. From 4,294 nats on it is [`u32::MAX`], too.
    pub fn nll_micronats(&self, token: Token) -> u32 {
        let vocab_size = self.model.config().vocab_size();
        each!(Engine, &self.engine, run => run.nll_micronats(vocab_size, token))
    }

    /// How probable a whole word is, from the start and with its ending boundary.
    ///
    /// The stream is at the start of a word afterwards.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] names the first character the model does not know.
    pub fn score(&mut self, word: &str) -> Result<Score, PromptError> {
        let vocab = self.model.vocab();
        // All characters first, so that an error leaves nothing half done.
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
