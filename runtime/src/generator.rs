//! Words, character by character.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;

use crate::error::{PromptError, StateError};
use crate::model::{Model, Score, StateMut, Stream};
use crate::sampling::Sampling;
use crate::vocab::next_character;

/// Most characters of a word unless told otherwise: a word has no natural limit.
pub const DEFAULT_MAX_LEN: usize = 32;

/// How a word ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The model drew the boundary: the word is whole.
    Boundary,
    /// The length limit or the end of the buffer cut it short.
    Limit,
}

/// Draws words from a model.
///
/// Words drawn one after the other share one generator of random numbers, so that a seed gives a list of words. The same
/// blob, seed and settings give the same list on every machine.
#[derive(Debug)]
pub struct Generator<'m, R = Xoshiro128PlusPlus> {
    stream: Stream<'m>,
    sampling: Sampling,
    rng: R,
    max_len: usize,
}

impl<'m> Generator<'m> {
    /// A generator with the default random numbers, xoshiro128++ seeded with `seed`.
    ///
    /// # Errors
    /// [`StateError::TooSmall`] with the number of words needed.
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
    /// A generator with random numbers of your own: any [`rand_core::Rng`].
    ///
    /// # Errors
    /// [`StateError::TooSmall`] with the number of words needed.
    pub fn with_rng(
        model: &'m Model<'m>,
        state: impl Into<StateMut<'m>>,
        sampling: Sampling,
        rng: R,
    ) -> Result<Self, StateError> {
        Ok(Self { stream: Stream::unready(model, state.into())?, sampling, rng, max_len: DEFAULT_MAX_LEN })
    }

    /// Sets the most characters of a word, the prompt included (default [`DEFAULT_MAX_LEN`]).
    #[must_use]
    pub fn max_len(mut self, max_len: usize) -> Self {
        self.max_len = max_len;
        self
    }

    /// How probable the model finds a whole word; see [`Stream::score`]. Draws nothing: the words to come stay the same.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] names the first character the model does not know.
    pub fn score(&mut self, word: &str) -> Result<Score, PromptError> {
        self.stream.score(word)
    }

    /// The characters of a new word that begins with `prompt` (which they include). Takes a step of the model for each of the prompt.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] or [`PromptError::TooLong`] (in characters); nothing has been drawn then.
    pub fn start<'g>(&'g mut self, prompt: &'g str) -> Result<Characters<'g, 'm, R>, PromptError> {
        let left = self.take(prompt)?;
        Ok(Characters { generator: self, prompt: prompt.as_bytes(), left, end: None })
    }

    /// Begins a word; gives how many characters may follow the prompt.
    ///
    /// A prompt that is refused leaves the stream within a word, which nobody sees: every word begins here.
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

    /// Writes a new word that begins with `prompt` into `word`, whose contents it replaces, and tells how it ended.
    ///
    /// A word may be empty. One that does not fit ends where the buffer ends, on a whole character, with [`End::Limit`].
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`], or [`PromptError::TooLong`] if the prompt alone exceeds the length limit
    /// (in characters) or the buffer (in bytes); `word` is unchanged then.
    pub fn word<const N: usize>(&mut self, prompt: &str, word: &mut heapless::String<N>) -> Result<End, PromptError> {
        if prompt.len() > N {
            return Err(PromptError::TooLong { len: prompt.len(), max: N });
        }
        let left = self.take(prompt)?;
        word.clear();
        // It fits.
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
    /// What is left of it to be given out, UTF-8. The stream has taken all of it.
    prompt: &'g [u8],
    /// How many characters may yet be drawn.
    left: usize,
    end: Option<End>,
}

impl<R> Characters<'_, '_, R> {
    /// How the word ended; `None` while it has not.
    pub fn end(&self) -> Option<End> {
        self.end
    }
}

impl<R: Rng> Characters<'_, '_, R> {
    /// The next one behind the prompt.
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
            // The logits behind the last character are never asked for.
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
