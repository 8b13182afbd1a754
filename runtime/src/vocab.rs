//! Characters and their indices.

use core::fmt;
use core::str::Chars;

use crate::config::VOCAB_SIZE;
use crate::error::{FormatError, PromptError};

/// Index of a character in the vocabulary.
pub type Token = u8;

/// The token before the first and after the last character of a word, written `.` in the lecture.
pub const BOUNDARY: Token = 0;

/// The characters in the order of their indices, the boundary's sign first, borrowed from the blob.
///
/// The boundary is an index, not a character: whatever sign stands for it may also be an ordinary character of
/// the vocabulary, and [`Vocab::encode`] then gives the ordinary one.
///
/// ```
/// use runtime::{BOUNDARY, Vocab};
/// let vocab = Vocab::new(".abcç")?;
/// assert_eq!(vocab.len(), 5);
/// assert_eq!(vocab.encode('ç'), Ok(4));
/// assert_eq!(vocab.decode(4), Some('ç'));
/// assert_eq!(vocab.decode(BOUNDARY), None);
/// assert!(vocab.encode('z').is_err());
/// # Ok::<(), runtime::FormatError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Vocab<'a> {
    text: &'a str,
    len: usize,
}

impl<'a> Vocab<'a> {
    /// Checks a vocabulary.
    ///
    /// # Errors
    /// [`FormatError::BadDimension`] if it has too few or too many characters, [`FormatError::DuplicateCharacter`]
    /// if one stands twice (the boundary's sign not counted).
    pub fn new(text: &'a str) -> Result<Self, FormatError> {
        // A byte of each character is no continuation.
        let len = text.bytes().filter(|byte| byte & 0xc0 != 0x80).count();
        VOCAB_SIZE.check(len)?;
        let vocab = Self { text, len };
        let mut characters = text.chars();
        for index in 0..len {
            if let Some(character) = next(&mut characters)
                && index > 0
                && vocab.encode(character).map(usize::from) != Ok(index)
            {
                return Err(FormatError::DuplicateCharacter { character });
            }
        }
        Ok(vocab)
    }

    /// Number of tokens, the boundary included.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The vocabulary as text, the boundary's sign first.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The token of a character.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] if the model does not know it.
    pub fn encode(&self, character: char) -> Result<Token, PromptError> {
        let mut characters = self.text.chars();
        next(&mut characters);
        // At most 255 characters follow the boundary.
        for token in 1..=Token::MAX {
            match next(&mut characters) {
                Some(known) if known == character => return Ok(token),
                Some(_) => {}
                None => break,
            }
        }
        Err(PromptError::UnknownCharacter { character })
    }

    /// The character of a token; `None` for [`BOUNDARY`] and for tokens outside the vocabulary.
    pub fn decode(&self, token: Token) -> Option<char> {
        if token == BOUNDARY {
            None
        } else if self.text.len() == self.len {
            // All in ASCII, a byte each.
            self.text.as_bytes().get(usize::from(token)).map(|&byte| byte.into())
        } else {
            let mut characters = self.text.chars();
            for _ in 0..token {
                next(&mut characters);
            }
            next(&mut characters)
        }
    }
}

/// The next character. Decoding is compiled once, wherever it is needed.
#[inline(never)]
pub(crate) fn next(characters: &mut Chars<'_>) -> Option<char> {
    characters.next()
}

impl fmt::Debug for Vocab<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocab({:?})", self.text)
    }
}
