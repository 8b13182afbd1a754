//! Reads a text: one long sequence of characters without an end.
//!
//! A text is a list with one word, which has no end. The line feed is a character of it like any other, and always in
//! its vocabulary: that tells a model of text from a model of words.

use super::encoding;
use super::error::{DataError, Fault};

/// Fewest characters of a text. A tenth of a shorter text says little about a model.
pub const MIN_TEXT_CHARS: usize = 1_000;
/// Most bytes of a text, which is held in memory.
pub const MAX_TEXT_BYTES: usize = 1 << 28;

/// Returns a text from the bytes of a file: line ends become line feeds, a byte-order mark is dropped. `name` is the
/// text's name in messages.
///
/// # Errors
/// [`DataError`] has that name, and the line if the error is in one line.
pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<String, DataError> {
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(DataError::TextTooLong { name: name.to_owned() });
    }
    if let Some(found) = encoding::by_signature(bytes) {
        return Err(DataError::Foreign { name: name.to_owned(), line: 1, found });
    }
    let mut text = String::with_capacity(bytes.len());
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        text += self::line(line).map_err(|fault| fault.in_line(name, index + 1, bytes))?;
        if line.ends_with(b"\n") {
            text.push('\n');
        }
    }
    let text = text.trim_start_matches('\u{feff}').to_owned();
    let characters = text.chars().count();
    match characters < MIN_TEXT_CHARS {
        true => Err(DataError::TextTooShort { name: name.to_owned(), characters }),
        false => Ok(text),
    }
}

/// Number of passages of a text on which a model is calibrated, and the number of characters of each.
const PASSAGES: (usize, usize) = (20, 1_000);

/// Returns passages of a text, evenly spread over it, to calibrate a model on.
pub fn passages(text: &str) -> Vec<String> {
    let (number, length) = PASSAGES;
    let characters: Vec<char> = text.chars().collect();
    let length = length.min(characters.len());
    let last = characters.len() - length;
    let start = |passage: usize| passage * last / (number - 1);
    (0..number).map(|passage| characters[start(passage)..][..length].iter().collect()).collect()
}

/// Returns a line without its end.
fn line(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.contains(&0) {
        return Err(Fault::Nul);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotUtf8(encoding::western(bytes)))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.matches('\r').count() {
        0 => Ok(text),
        number => Err(Fault::CarriageReturns(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, DataError> {
        parse("a text", &[bytes, &b"0123456789\n".repeat(100)].concat())
    }

    #[test]
    fn line_ends_become_line_feeds() {
        let found = text("\u{feff}  Zoë.\r\n\r\nb".as_bytes()).unwrap();
        assert!(found.starts_with("  Zoë.\n\nb0123456789\n0"), "{:?}", &found[..20]);
    }

    #[test]
    fn passages_are_spread_over_the_text() {
        let text: String = ('\u{4e00}'..).take(21_000).collect();
        let found = passages(&text);
        assert_eq!(found.len(), 20);
        assert!(found.iter().all(|passage| passage.chars().count() == 1_000));
        assert!(text.starts_with(&found[0]) && text.ends_with(&found[19]));
        assert_eq!(passages("short"), vec!["short"; 20]);
    }

    #[test]
    fn other_files_are_refused() {
        let refused = |bytes: &[u8]| text(bytes).unwrap_err().to_string();
        assert!(refused(b"a\nb\0\n").contains("line 2: a NUL byte"));
        assert!(refused(b"a\nb\nZo\xeb\n").contains("line 3: not UTF-8"));
        assert!(refused(b"a\rb\rc\n").contains("line 1: 2 carriage returns"));
        assert!(refused(b"PK\x03\x04").contains("zip"));
        let short = parse("a text", b"To be\n").unwrap_err().to_string();
        assert!(short.contains("a text has 6 characters") && short.contains("1,000"), "{short}");
    }
}
