//! Characters and their indices.

use core::fmt;

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
    /// UTF-8: a `&str` would bring the library's check of it, which is larger than all that is done with it.
    text: &'a [u8],
    len: usize,
}

impl<'a> Vocab<'a> {
    /// Checks a vocabulary.
    ///
    /// # Errors
    /// [`FormatError::BadDimension`] if it has too few or too many characters, [`FormatError::DuplicateCharacter`]
    /// if one stands twice (the boundary's sign not counted).
    pub fn new(text: &'a str) -> Result<Self, FormatError> {
        Self::from_utf8(text.as_bytes())
    }

    /// [`Self::new`] of text that is known to be UTF-8.
    #[inline(never)]
    pub(crate) fn from_utf8(text: &'a [u8]) -> Result<Self, FormatError> {
        // A byte of each character is no continuation.
        let len = text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
        VOCAB_SIZE.check(len)?;
        let vocab = Self { text, len };
        let mut characters = text;
        for index in 0..len {
            if let Some(character) = next_character(&mut characters)
                && index > 0
                && vocab.encode(character).map(usize::from) != Ok(index)
            {
                return Err(FormatError::DuplicateCharacter { character });
            }
        }
        Ok(vocab)
    }

    /// One that has been checked.
    pub(crate) fn known(text: &'a [u8], len: usize) -> Self {
        Self { text, len }
    }

    /// Number of tokens, the boundary included.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The vocabulary as text, the boundary's sign first.
    pub fn as_str(&self) -> &'a str {
        // It is UTF-8.
        core::str::from_utf8(self.text).unwrap_or("")
    }

    /// The token of a character.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] if the model does not know it.
    pub fn encode(&self, character: char) -> Result<Token, PromptError> {
        let mut characters = self.text;
        next_character(&mut characters);
        // At most 255 characters follow the boundary.
        let mut token = BOUNDARY;
        while let Some(known) = next_character(&mut characters) {
            token = token.wrapping_add(1);
            if known == character {
                return Ok(token);
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
            self.text.get(usize::from(token)).map(|&byte| byte.into())
        } else {
            let mut characters = self.text;
            for _ in 0..token {
                next_character(&mut characters);
            }
            next_character(&mut characters)
        }
    }
}

/// Takes a character from the front of UTF-8; `None`, and something taken or not, if there is none, or what is there is no UTF-8.
///
/// The whole of [RFC 3629](https://www.rfc-editor.org/rfc/rfc3629): as many continuations as the first byte says, no longer form
/// than needed, no surrogates, nothing above U+10FFFF. Compiled once, and small, where the library's is compiled for speed.
#[inline(never)]
pub(crate) fn next_character(text: &mut &[u8]) -> Option<char> {
    let (&first, mut rest) = text.split_first()?;
    let (mut code, continuations, least) = match first {
        0..0x80 => (u32::from(first), 0, 0),
        0xc0..0xe0 => (u32::from(first & 0x1f), 1, 0x80),
        0xe0..0xf0 => (u32::from(first & 0x0f), 2, 0x800),
        0xf0..0xf8 => (u32::from(first & 0x07), 3, 0x1_0000),
        _ => return None,
    };
    for _ in 0..continuations {
        let (&byte, behind) = rest.split_first()?;
        if byte & 0xc0 != 0x80 {
            return None;
        }
        code = code << 6 | u32::from(byte & 0x3f);
        rest = behind;
    }
    *text = rest;
    if code < least { None } else { char::from_u32(code) }
}

impl fmt::Debug for Vocab<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocab({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;

    use super::*;

    /// Every character there is, and every way to spoil one of its bytes.
    #[test]
    fn decodes_what_the_library_does() {
        let decode = |bytes: &[u8]| {
            let mut left = bytes;
            next_character(&mut left).filter(|_| left.is_empty())
        };
        for character in '\0'..=char::MAX {
            let mut bytes = [0; 4];
            let text = character.encode_utf8(&mut bytes);
            assert_eq!(decode(text.as_bytes()), Some(character));
        }
        for start in 0..=u32::from(u16::MAX) {
            for end in [[0x80, 0x80], [0xbf, 0xbf], [0x7f, 0x80], [0x80, 0xc0]] {
                let bytes = [(start >> 8) as u8, start as u8, end[0], end[1]];
                for len in 1..=4 {
                    let one = std::str::from_utf8(&bytes[..len]).ok().filter(|text| text.chars().count() == 1);
                    let expected = one.map(String::from).and_then(|text| text.chars().next());
                    assert_eq!(decode(&bytes[..len]), expected, "{:x?}", &bytes[..len]);
                }
            }
        }
    }
}
