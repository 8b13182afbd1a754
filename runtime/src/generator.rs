//! Generator of words, character by character.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;

use crate::error::{PromptError, StateError};
use crate::model::{Model, Score, StateMut, Stream};
use crate::sampling::Sampling;
use crate::vocab::next_character;

/// Default for the maximum number of characters of a word. A limit is needed because a word has no natural one.
pub const DEFAULT_MAX_LEN: usize = 32;

/// Reason why a word ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum End {
    /// The model drew the boundary: the word is complete.
    Boundary,
    /// The length limit or the end of the buffer cut the word short.
    Limit,
}

/// Generator of words from a model.
///
/// Its words share one generator of random numbers, so a seed determines a list of words. The same blob, seed and
/// settings draw the same list on every machine.
#[derive(Debug)]
pub struct Generator<'m, R = Xoshiro128PlusPlus> {
    stream: Stream<'m>,
    sampling: Sampling,
    rng: R,
    max_len: usize,
}

impl<'m> Generator<'m> {
    /// Makes a generator of words with the default random numbers, xoshiro128++ seeded with `seed`.
    ///
    /// # Errors
    /// [`StateError::TooSmall`] with the number of 32-bit words that the model needs.
    pub fn new(
        model: &'m Model<'m>,
        state: impl Into<StateMut<'m>>,
        sampling: Sampling,
        seed: u64,
    ) -> Result<Self, StateError> {
        Self::with_rng(model, state, sampling, Xoshiro128PlusPlus::seed_from_u64(seed))
    }
}

impl<'m, R: Rng> Generator<'m, R> {
    /// Makes a generator of words with your own random numbers, from any [`rand_core::Rng`].
    ///
    /// # Errors
    /// [`StateError::TooSmall`] with the number of 32-bit words that the model needs.
    pub fn with_rng(
        model: &'m Model<'m>,
        state: impl Into<StateMut<'m>>,
        sampling: Sampling,
        rng: R,
    ) -> Result<Self, StateError> {
        Ok(Self { stream: Stream::unready(model, state.into())?, sampling, rng, max_len: DEFAULT_MAX_LEN })
    }

    /// Sets the maximum number of characters of a word, prompt included (default [`DEFAULT_MAX_LEN`]).
    #[must_use]
    pub fn max_len(mut self, max_len: usize) -> Self {
        self.max_len = max_len;
        self
    }

    /// Returns how probable the model finds a whole word; see [`Stream::score`]. Draws nothing: the next words remain
    /// the same.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] with the first character that the model does not know.
    pub fn score(&mut self, word: &str) -> Result<Score, PromptError> {
        self.stream.score(word)
    }

    /// Starts a new word that begins with `prompt`, and returns an iterator over its characters, those of `prompt`
    /// included.
    ///
    /// Runs one step of the model per character of `prompt`.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`], or [`PromptError::TooLong`] in characters. Nothing has been drawn then.
    pub fn start<'g>(&'g mut self, prompt: &'g str) -> Result<Characters<'g, 'm, R>, PromptError> {
        let left = self.take(prompt)?;
        Ok(Characters { generator: self, prompt: prompt.as_bytes(), left, end: None })
    }

    /// Starts a text that begins with `prompt`, and returns an endless iterator over its characters, those of `prompt`
    /// included.
    ///
    /// A model of text knows no end: see [`Vocab::is_of_text`](crate::Vocab::is_of_text). A model of words draws word
    /// after word, each followed by a line feed. The maximum length of a word has no effect.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`]. Nothing has been drawn then.
    pub fn text<'g>(&'g mut self, prompt: &'g str) -> Result<Text<'g, 'm, R>, PromptError> {
        let max_len = core::mem::replace(&mut self.max_len, usize::MAX);
        let taken = self.take(prompt);
        self.max_len = max_len;
        taken.map(|_| Text { generator: self, prompt: prompt.as_bytes() })
    }

    /// Begins a word. Returns the number of characters that may follow the prompt.
    ///
    /// A refused prompt leaves the stream within a word. That has no effect, because every word begins with a reset
    /// here.
    fn take(&mut self, prompt: &str) -> Result<usize, PromptError> {
        let vocab = self.stream.model().vocab();
        let (mut characters, mut len) = (prompt.as_bytes(), 0);
        self.stream.reset();
        while let Some(character) = next_character(&mut characters) {
            self.stream.push(vocab.encode(character)?);
            len += 1;
        }
        self.max_len.checked_sub(len).ok_or(PromptError::TooLong { len, max: self.max_len })
    }

    /// Writes a new word that begins with `prompt` into `word`, whose contents it replaces. Returns the reason why it
    /// ended.
    ///
    /// A word may be empty. A word that does not fit is cut after the last whole character that fits, with
    /// [`End::Limit`].
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`], or [`PromptError::TooLong`] if the prompt itself exceeds the length limit (in
    /// characters) or the buffer (in bytes). `word` is unchanged then.
    pub fn word<const N: usize>(&mut self, prompt: &str, word: &mut heapless::String<N>) -> Result<End, PromptError> {
        if prompt.len() > N {
            return Err(PromptError::TooLong { len: prompt.len(), max: N });
        }
        let left = self.take(prompt)?;
        word.clear();
        // The prompt fits: its length was checked.
        let _ = word.push_str(prompt);
        let mut characters = Characters { generator: self, prompt: &[], left, end: None };
        while let Some(character) = characters.draw() {
            if word.push(character).is_err() {
                return Ok(End::Limit);
            }
        }
        Ok(characters.end().unwrap_or(End::Limit))
    }
}

/// Iterator over the characters of one word; see [`Generator::start`].
#[derive(Debug)]
pub struct Characters<'g, 'm, R> {
    generator: &'g mut Generator<'m, R>,
    /// Rest of the prompt that has not been returned yet, UTF-8. The stream has taken all of the prompt.
    prompt: &'g [u8],
    /// Number of characters that may still be drawn.
    left: usize,
    end: Option<End>,
}

impl<R> Characters<'_, '_, R> {
    /// Returns the reason why the word ended, or `None` if it has not ended.
    pub fn end(&self) -> Option<End> {
        self.end
    }
}

impl<R: Rng> Characters<'_, '_, R> {
    /// Draws the next character after the prompt.
    fn draw(&mut self) -> Option<char> {
        if self.left == 0 {
            self.end.get_or_insert(End::Limit);
            return None;
        }
        let Generator { stream, sampling, rng, .. } = &mut *self.generator;
        let token = stream.draw(sampling, rng);
        let Some(character) = stream.model().vocab().decode(token) else {
            (self.left, self.end) = (0, Some(End::Boundary));
            return None;
        };
        self.left -= 1;
        if self.left > 0 {
            // The logits after the last character are not needed.
            stream.push(token);
        }
        Some(character)
    }
}

impl<R: Rng> Iterator for Characters<'_, '_, R> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        next_character(&mut self.prompt).or_else(|| self.draw())
    }
}

/// Endless iterator over the characters of a text; see [`Generator::text`].
#[derive(Debug)]
pub struct Text<'g, 'm, R> {
    generator: &'g mut Generator<'m, R>,
    /// Rest of the prompt that has not been returned yet, UTF-8. The stream has taken all of the prompt.
    prompt: &'g [u8],
}

impl<R: Rng> Iterator for Text<'_, '_, R> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let drawn = || {
            let Generator { stream, sampling, rng, .. } = &mut *self.generator;
            let token = stream.draw(sampling, rng);
            match stream.model().vocab().decode(token) {
                Some(character) => {
                    stream.push(token);
                    character
                }
                None => {
                    stream.reset();
                    '\n'
                }
            }
        };
        Some(next_character(&mut self.prompt).unwrap_or_else(drawn))
    }
}
