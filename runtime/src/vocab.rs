//! Characters and their tokens.

use core::fmt;

use crate::error::{FormatError, PromptError};
use crate::limits::{Checks, Dimension};

/// Index of a character in the vocabulary.
pub type Token = u8;

/// Token before the first and after the last character of a word, written `.` in the lecture.
pub const BOUNDARY: Token = 0;

/// Characters in the order of their tokens, the boundary's sign first, borrowed from the blob.
///
/// The boundary is a token, not a character: the sign that represents it may also be an ordinary character of the
/// vocabulary. [`Vocab::encode`] then returns the token of the ordinary character.
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
    /// UTF-8 text as bytes: a `&str` would need the library's check, which is larger than all code that uses it.
    text: &'a [u8],
    len: usize,
}

impl<'a> Vocab<'a> {
    /// Checks a vocabulary, whose first character is the boundary's sign.
    ///
    /// # Errors
    /// [`FormatError::BadDimension`] if it has too few or too many characters; [`FormatError::DuplicateCharacter`] if a
    /// character is in it twice, where the boundary's sign does not count.
    pub fn new(text: &'a str) -> Result<Self, FormatError> {
        let vocab = Self::known(text.as_bytes(), text.chars().count());
        Checks::new().and(Dimension::VocabSize, vocab.len).done()?;
        match vocab.repeated() {
            Some(character) => Err(FormatError::DuplicateCharacter { character }),
            None => Ok(vocab),
        }
    }

    /// Returns the first character that occurs before, where the boundary's sign does not count.
    #[inline]
    pub(crate) fn repeated(&self) -> Option<char> {
        repeated(self.text, self.len)
    }

    /// Makes a vocabulary that has been checked, or will be.
    pub(crate) fn known(text: &'a [u8], len: usize) -> Self {
        Self { text, len }
    }

    /// Returns the number of tokens, boundary included.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the vocabulary as text, the boundary's sign first.
    pub fn as_str(&self) -> &'a str {
        // The text has been checked to be UTF-8.
        core::str::from_utf8(self.text).unwrap_or("")
    }

    /// Returns whether the line feed is a character of the vocabulary, as in a model of text. A list has one word per
    /// line, so a model of words never knows the line feed.
    ///
    /// A text has no end: its model never draws the boundary, which only stands for the characters before the text.
    #[inline]
    pub fn is_of_text(&self) -> bool {
        find(self.text, '\n') != usize::from(BOUNDARY)
    }

    /// Returns the token of a character.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] if the character is not in the vocabulary.
    #[inline]
    pub fn encode(&self, character: char) -> Result<Token, PromptError> {
        // No truncation: at most 255 characters follow the boundary.
        match find(self.text, character) as Token {
            BOUNDARY => Err(PromptError::UnknownCharacter { character }),
            token => Ok(token),
        }
    }

    /// Returns the character of a token, or `None` for [`BOUNDARY`] and for tokens outside the vocabulary.
    #[inline]
    pub fn decode(&self, token: Token) -> Option<char> {
        if token == BOUNDARY { None } else { nth(self.text, self.len, token.into()) }
    }
}

// These functions take the vocabulary's fields, which fit in registers, instead of its address.

/// Returns the first character of a vocabulary that occurs before, where the boundary's sign does not count.
#[inline(never)]
fn repeated(text: &[u8], len: usize) -> Option<char> {
    let mut token = 0;
    loop {
        token += 1;
        let character = nth(text, len, token)?;
        if find(text, character) != token {
            return Some(character);
        }
    }
}

/// Returns the first token of a character in a vocabulary, or that of the boundary if there is none.
#[inline(never)]
fn find(text: &[u8], character: char) -> usize {
    let mut characters = text;
    next_character(&mut characters);
    let mut token = 0;
    while let Some(known) = next_character(&mut characters) {
        token += 1;
        if known == character {
            return token;
        }
    }
    0
}

/// Returns the character of a token in a vocabulary of `len` characters, boundary's sign included.
#[inline(never)]
fn nth(text: &[u8], len: usize, token: usize) -> Option<char> {
    if text.len() == len {
        // All characters are ASCII, one byte each.
        return text.get(token).map(|&byte| byte.into());
    }
    let (mut characters, mut before) = (text, token);
    loop {
        let character = next_character(&mut characters);
        if before == 0 {
            return character;
        }
        before -= 1;
    }
}

/// Takes a character from the front of UTF-8. Returns `None` and takes nothing if there is none or if the bytes are not
/// UTF-8.
///
/// Follows all of [RFC 3629](https://www.rfc-editor.org/rfc/rfc3629): the number of continuation bytes that the first
/// byte says, no longer form than needed, no surrogates, nothing above U+10FFFF. This function is compiled once, for
/// size; the library's is compiled for speed.
#[inline(never)]
pub(crate) fn next_character(text: &mut &[u8]) -> Option<char> {
    let mut bytes = text.iter();
    let first = *bytes.next()?;
    let mut code = u32::from(first);
    if first >= 0x80 {
        // 0xc0 and 0xc1 would begin longer forms of ASCII.
        if !(0xc2..0xf8).contains(&first) {
            return None;
        }
        // The first byte is 1, a 1 for each continuation byte, 0, and the highest bits of the code. With each
        // continuation byte, the code moves up by six bits, and the bit that announces another one by five, until that
        // bit is the 0.
        let mut end = 0x40;
        while code & end != 0 {
            let low = bytes.next()? ^ 0x80;
            if low >= 0x40 {
                return None;
            }
            code = (code << 6) + u32::from(low);
            end <<= 5;
        }
        code &= end - 1;
        // One continuation byte less would have room for five bits less.
        if code << 5 < end {
            return None;
        }
    }
    let character = char::from_u32(code)?;
    *text = bytes.as_slice();
    Some(character)
}

impl fmt::Debug for Vocab<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vocab({:?})", self.as_str())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Vocab<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Vocab({=str:?})", self.as_str());
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;

    use super::*;

    /// Every character, and every way to damage one of its bytes.
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
