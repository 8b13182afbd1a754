use rand_core::Rng;

#[cfg(feature = "f32")]
use super::state::BuffersF32;
#[cfg(feature = "int8")]
use super::state::BuffersInt;
use super::state::StateMut;
use super::{Model, Net};
use crate::error::{PromptError, StateError};
use crate::sampling::{LogitsMut, Sampling};
use crate::vocab::{BOUNDARY, Token};

/// The logits for the next character, one per token.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Logits<'a> {
    /// Of a model in single precision.
    #[cfg(feature = "f32")]
    F32(&'a [f32]),
    /// Of an integer model, with [`crate::quant::LOGIT_FRACTION_BITS`].
    #[cfg(feature = "int8")]
    Fixed(&'a [i32]),
}

impl Logits<'_> {
    /// Number of tokens.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        match self {
            #[cfg(feature = "f32")]
            Self::F32(logits) => logits.len(),
            #[cfg(feature = "int8")]
            Self::Fixed(logits) => logits.len(),
        }
    }

    /// The logit of a token as a number, for hosts; `None` outside the vocabulary.
    pub fn get(&self, token: Token) -> Option<f32> {
        match self {
            #[cfg(feature = "f32")]
            Self::F32(logits) => logits.get(usize::from(token)).copied(),
            #[cfg(feature = "int8")]
            Self::Fixed(logits) => {
                let one = (1 << crate::quant::LOGIT_FRACTION_BITS) as f32;
                logits.get(usize::from(token)).map(|&logit| logit as f32 / one)
            }
        }
    }

    /// Gives out the bytes of every logit, little-endian, in the order of the tokens: what checksums are taken of.
    pub fn for_each_bytes(&self, mut each: impl FnMut([u8; 4])) {
        match self {
            #[cfg(feature = "f32")]
            Self::F32(logits) => logits.iter().for_each(|logit| each(logit.to_le_bytes())),
            #[cfg(feature = "int8")]
            Self::Fixed(logits) => logits.iter().for_each(|logit| each(logit.to_le_bytes())),
        }
    }
}

/// The output of a level: the values of its newest node, behind the activation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activations<'a> {
    /// Of a model in single precision.
    #[cfg(feature = "f32")]
    F32(&'a [f32]),
    /// Of an integer model, in units of 1/[`crate::quant::ACTIVATION_MAX`].
    #[cfg(feature = "int8")]
    Fixed(&'a [i8]),
}

impl Activations<'_> {
    /// Number of values: the width of the level.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        match self {
            #[cfg(feature = "f32")]
            Self::F32(values) => values.len(),
            #[cfg(feature = "int8")]
            Self::Fixed(values) => values.len(),
        }
    }

    /// A value as a number, for hosts; `None` beyond the width.
    pub fn get(&self, index: usize) -> Option<f32> {
        match self {
            #[cfg(feature = "f32")]
            Self::F32(values) => values.get(index).copied(),
            #[cfg(feature = "int8")]
            Self::Fixed(values) => {
                values.get(index).map(|&value| f32::from(value) / crate::quant::ACTIVATION_MAX as f32)
            }
        }
    }
}

/// How probable a model finds a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Negative log-likelihood in millionths of a nat.
    pub nll_micronats: u64,
    /// Characters it is spread over: those of the word, and its ending boundary.
    pub characters: usize,
}

/// The buffers of one precision.
enum Buffers<'s> {
    #[cfg(feature = "f32")]
    F32(BuffersF32<'s>),
    #[cfg(feature = "int8")]
    Int(BuffersInt<'s>),
}

/// A model at work: takes one character at a time, gives the logits for the next.
///
/// Equal, bit by bit, to evaluating the last `block_size` characters as a whole window, padded with the boundary: the
/// cost is one node per level.
///
/// ```
/// # use runtime::{Model, State, Stream, state_words};
/// # #[cfg(feature = "f32")]
/// # static BLOB: &[u8] = runtime::include_blob!("../../../models/tiny.blob");
/// # #[cfg(not(feature = "f32"))]
/// # static BLOB: &[u8] = runtime::include_blob!("../../../models/tiny.int8.blob");
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
pub struct Stream<'m> {
    model: &'m Model<'m>,
    buffers: Buffers<'m>,
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
        let layout = model.buffers;
        let buffers = match &model.net {
            #[cfg(feature = "f32")]
            Net::F32(_) => Buffers::F32(BuffersF32::new(layout, state)?),
            #[cfg(feature = "int8")]
            Net::Int(_) => Buffers::Int(BuffersInt::new(layout, state)?),
        };
        Ok(Self { model, buffers })
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// Back to the start of a word: as if only boundaries had ever been seen. Costs as much as a [`Stream::push`].
    pub fn reset(&mut self) {
        match (&self.model.net, &mut self.buffers) {
            #[cfg(feature = "f32")]
            (Net::F32(net), Buffers::F32(buffers)) => net.reset(self.model.config(), buffers),
            #[cfg(feature = "int8")]
            (Net::Int(net), Buffers::Int(buffers)) => net.reset(self.model.header(), buffers),
            #[cfg(all(feature = "f32", feature = "int8"))]
            _ => {}
        }
    }

    /// Takes a character. A token outside the vocabulary counts as the boundary.
    pub fn push(&mut self, token: Token) {
        match (&self.model.net, &mut self.buffers) {
            #[cfg(feature = "f32")]
            (Net::F32(net), Buffers::F32(buffers)) => net.push(self.model.config(), buffers, token),
            #[cfg(feature = "int8")]
            (Net::Int(net), Buffers::Int(buffers)) => net.push(self.model.header(), buffers, token),
            #[cfg(all(feature = "f32", feature = "int8"))]
            _ => {}
        }
    }

    /// [`Stream::push`], and shows the output of every level on the way, for tools that ask where a number format loses
    /// accuracy.
    ///
    /// `observe` gets the index of the level, from the characters up, and its `width` values. A program that never calls
    /// this pays nothing for it: [`Stream::push`] is compiled without.
    pub fn push_observed(&mut self, token: Token, observe: &mut dyn FnMut(usize, Activations<'_>)) {
        match (&self.model.net, &mut self.buffers) {
            #[cfg(feature = "f32")]
            (Net::F32(net), Buffers::F32(buffers)) => {
                net.push_observed(self.model.config(), buffers, token, &mut |level, values| {
                    observe(level, Activations::F32(values))
                });
            }
            #[cfg(feature = "int8")]
            (Net::Int(net), Buffers::Int(buffers)) => {
                net.push_observed(self.model.header(), buffers, token, &mut |level, values| {
                    observe(level, Activations::Fixed(values))
                });
            }
            #[cfg(all(feature = "f32", feature = "int8"))]
            _ => {}
        }
    }

    /// The logits for the next character.
    pub fn logits(&self) -> Logits<'_> {
        let vocab_size = self.model.config().vocab_size();
        match &self.buffers {
            #[cfg(feature = "f32")]
            Buffers::F32(buffers) => Logits::F32(buffers.logits.get(..vocab_size).unwrap_or(&[])),
            #[cfg(feature = "int8")]
            Buffers::Int(buffers) => Logits::Fixed(buffers.logits().get(..vocab_size).unwrap_or(&[])),
        }
    }

    /// Draws the next character. Overwrites the logits: push before asking for them again.
    pub fn draw(&mut self, sampling: &Sampling, rng: &mut impl Rng) -> Token {
        let vocab_size = self.model.config().vocab_size();
        let logits = match &mut self.buffers {
            #[cfg(feature = "f32")]
            Buffers::F32(buffers) => buffers.logits.get_mut(..vocab_size).map(LogitsMut::F32),
            #[cfg(feature = "int8")]
            Buffers::Int(buffers) => buffers.logits_mut().get_mut(..vocab_size).map(LogitsMut::Fixed),
        };
        logits.map_or(BOUNDARY, |logits| sampling.draw(logits, rng))
    }

    /// Negative log-likelihood of `token` as the next character, in millionths of a nat; [`u32::MAX`] for one outside the
    /// vocabulary.
    ///
    /// Off by at most 60 in integers, in single precision by at most 2 plus a quarter for each nat of the score or of the
    /// largest logit, whichever is more. From 4,294 nats on it is [`u32::MAX`], too.
    pub fn nll_micronats(&self, token: Token) -> u32 {
        match self.logits() {
            #[cfg(feature = "f32")]
            Logits::F32(logits) => logits.get(usize::from(token)).map_or(u32::MAX, |logit| {
                // Adding a half and cutting off rounds; the cast saturates.
                ((crate::math::log_sum_exp(logits) - logit) * 1e6 + 0.5) as u32
            }),
            #[cfg(feature = "int8")]
            Logits::Fixed(logits) => logits
                .get(usize::from(token))
                .map_or(u32::MAX, |&logit| crate::kernels::routine::softmax::nll_micronats(logits, logit)),
        }
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
