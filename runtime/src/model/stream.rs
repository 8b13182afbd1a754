use rand_core::Rng;

use super::Model;
use super::state::{BuffersF32, StateMut};
use crate::error::{PromptError, StateError};
use crate::math::log_sum_exp;
use crate::sampling::Sampling;
use crate::vocab::{BOUNDARY, Token};

/// A model at work: takes one character at a time, gives the logits for the next.
///
/// Equal, bit by bit, to evaluating the last `block_size` characters as a whole window, padded with the boundary: the
/// cost is one node per level.
///
/// ```
/// # use runtime::{Model, State, Stream, state_words};
/// # static BLOB: &[u8] = runtime::include_blob!("../../../models/tiny.blob");
/// let model = Model::new(BLOB)?;
/// let mut state = State::<{ state_words(BLOB) }>::new();
/// let mut stream = Stream::new(&model, &mut state)?;
/// let first = stream.nll(model.vocab().encode('e')?); // how surprising is an e at the start?
/// stream.push(model.vocab().encode('e')?);
/// assert_eq!(stream.logits().len(), model.config().vocab_size());
/// # assert!(first > 0.0);
/// # Ok::<(), runtime::Error>(())
/// ```
pub struct Stream<'m> {
    model: &'m Model<'m>,
    buffers: BuffersF32<'m>,
}

impl<'m> Stream<'m> {
    /// Ties a model to its state, at the start of a word.
    ///
    /// # Errors
    /// [`StateError::TooSmall`] with the number of words needed.
    pub fn new(model: &'m Model<'m>, state: impl Into<StateMut<'m>>) -> Result<Self, StateError> {
        let buffers = BuffersF32::new(model.config().state_layout(), state.into())?;
        let mut stream = Self { model, buffers };
        stream.reset();
        Ok(stream)
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Back to the start of a word: as if only boundaries had ever been seen. Costs as much as a [`Stream::push`].
    pub fn reset(&mut self) {
        self.model.net.reset(self.model.config(), &mut self.buffers);
    }

    /// Takes a character. A token outside the vocabulary counts as the boundary.
    pub fn push(&mut self, token: Token) {
        self.model.net.push(self.model.config(), &mut self.buffers, token);
    }

    /// The logits for the next character, one per token.
    pub fn logits(&self) -> &[f32] {
        self.buffers.logits.get(..self.model.config().vocab_size()).unwrap_or(&[])
    }

    /// Draws the next character. Overwrites the logits: push before asking for them again.
    pub fn draw(&mut self, sampling: &Sampling, rng: &mut impl Rng) -> Token {
        let vocab_size = self.model.config().vocab_size();
        sampling.draw(self.buffers.logits.get_mut(..vocab_size).unwrap_or(&mut []), rng)
    }

    /// Negative log-likelihood of `token` as the next character, in nats. Infinite for one outside the vocabulary.
    pub fn nll(&self, token: Token) -> f32 {
        let logits = self.logits();
        logits.get(usize::from(token)).map_or(f32::INFINITY, |logit| log_sum_exp(logits) - logit)
    }

    /// Negative log-likelihood of a whole word, from the start and with its ending boundary, in nats; and the number of
    /// characters it is spread over (those of the word, and the boundary).
    ///
    /// The stream is at the start of a word afterwards.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] names the first character the model does not know.
    pub fn word_nll(&mut self, word: &str) -> Result<(f32, usize), PromptError> {
        let vocab = self.model.vocab();
        // All characters first, so that an error leaves nothing half done.
        word.chars().try_for_each(|character| vocab.encode(character).map(drop))?;
        self.reset();
        let mut nll = 0.0;
        let mut count = 1;
        for token in word.chars().filter_map(|character| vocab.encode(character).ok()) {
            nll += self.nll(token);
            self.push(token);
            count += 1;
        }
        nll += self.nll(BOUNDARY);
        self.reset();
        Ok((nll, count))
    }
}
