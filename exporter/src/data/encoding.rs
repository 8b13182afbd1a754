//! Guesses the kind of a file that is not UTF-8 text.

use std::fmt;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Number of bytes at the beginning of a file that are examined.
const HEAD: usize = 4096;

/// Kinds of files that are not UTF-8 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Text in an encoding that `iconv` knows by this name.
    Text(&'static str),
    /// A compressed file or an archive: the name of its kind, and the command that unpacks it.
    Packed(&'static str, &'static str),
    /// A document of another program: the name of its kind.
    Document(&'static str),
    /// A model of this program, or a file of tensors.
    Model,
    /// Bytes that are not text.
    Binary,
}

impl fmt::Display for Foreign {
    /// Writes the end of an error message: the kind of file, and how to make a word list from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(name) => {
                write!(f, "{name}, not UTF-8 text; `iconv -f {name} -t UTF-8 IN > OUT` converts it")
            }
            Self::Packed(name, command) => {
                write!(f, "{name}, not UTF-8 text; `{command}` unpacks it")
            }
            Self::Document(name) => write!(f, "{name}, not UTF-8 text; save its words as plain text, one per line"),
            Self::Model => write!(f, "a model file, not UTF-8 text (a word list has one word per line)"),
            Self::Binary => write!(f, "a binary file, not UTF-8 text (a word list has one word per line)"),
        }
    }
}

/// First bytes of each kind of file. A signature precedes a shorter one that is its beginning.
const SIGNATURES: [(&[u8], Foreign); 16] = [
    (b"\xff\xfe\0\0", Foreign::Text("UTF-32LE")),
    (b"\0\0\xfe\xff", Foreign::Text("UTF-32BE")),
    (b"\xff\xfe", Foreign::Text("UTF-16LE")),
    (b"\xfe\xff", Foreign::Text("UTF-16BE")),
    (b"\x1f\x8b", Foreign::Packed("a gzip file", "gunzip -c IN > OUT")),
    (b"PK\x03\x04", Foreign::Packed("a zip archive (or a spreadsheet)", "unzip -p IN > OUT")),
    (b"BZh91AY&SY", Foreign::Packed("a bzip2 file", "bunzip2 -c IN > OUT")),
    (b"\xfd7zXZ\0", Foreign::Packed("an xz file", "xz -dc IN > OUT")),
    (b"\x28\xb5\x2f\xfd", Foreign::Packed("a zstd file", "zstd -dc IN > OUT")),
    (b"7z\xbc\xaf\x27\x1c", Foreign::Packed("a 7z archive", "7z e -so IN > OUT")),
    (b"%PDF-", Foreign::Document("a PDF document")),
    (b"{\\rtf", Foreign::Document("an RTF document")),
    (b"\xd0\xcf\x11\xe0", Foreign::Document("a document of an office program")),
    (b"\x89PNG", Foreign::Binary),
    (b"\xff\xd8\xff", Foreign::Binary),
    (b"\x7fELF", Foreign::Binary),
];

/// Returns the kind of file that the first bytes identify; `None` if they may be text.
pub fn by_signature(head: &[u8]) -> Option<Foreign> {
    let is_safetensors = head.len() > 10 && head[8..].starts_with(b"{\"") && head[4..8] == [0; 4];
    // A blob's version, two bytes, is small. A list may begin with a word such as MOREAU.
    let is_blob = head.starts_with(&runtime::format::MAGIC) && head.get(5) == Some(&0);
    if is_safetensors || is_blob {
        return Some(Foreign::Model);
    }
    SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)).map(|&(_, foreign)| foreign)
}

/// Guesses the kind of a file that has a NUL byte or is not UTF-8; `None` if its first bytes look like text.
pub fn guess(head: &[u8]) -> Option<Foreign> {
    let head = &head[..head.len().min(HEAD)];
    if let Some(foreign) = by_signature(head) {
        return Some(foreign);
    }
    if is_text_with_nuls(head) {
        return None;
    }
    let wide = [("UTF-32LE", utf32(head, u32::from_le_bytes)), ("UTF-32BE", utf32(head, u32::from_be_bytes))];
    let narrow = [("UTF-16LE", utf16(head, u16::from_le_bytes)), ("UTF-16BE", utf16(head, u16::from_be_bytes))];
    let best = wide.into_iter().chain(narrow).filter_map(|(name, score)| Some((score?, name)));
    if let Some((_, name)) = best.max() {
        return Some(Foreign::Text(name));
    }
    let controls = head.iter().filter(|&&byte| is_control(byte)).count();
    (10 * controls > head.len()).then_some(Foreign::Binary)
}

/// Returns whether the bytes are UTF-8 text with a few NUL bytes in it.
fn is_text_with_nuls(head: &[u8]) -> bool {
    let rest: Vec<u8> = head.iter().copied().filter(|&byte| byte != 0).collect();
    let is_utf8 = match std::str::from_utf8(&rest) {
        Ok(_) => true,
        // The head may end within a character.
        Err(error) => error.error_len().is_none(),
    };
    4 * (head.len() - rest.len()) < head.len() && is_utf8 && !rest.iter().any(|&byte| is_control(byte))
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0x1b)
}

fn utf16(head: &[u8], number: fn([u8; 2]) -> u16) -> Option<usize> {
    let units = head.as_chunks::<2>().0.iter().map(|&bytes| number(bytes));
    let mut characters: Vec<_> = char::decode_utf16(units).collect();
    if head.len() == HEAD {
        // The head may end within a pair of surrogates.
        characters.pop();
    }
    score(characters.into_iter().map(Result::ok))
}

fn utf32(head: &[u8], number: fn([u8; 4]) -> u32) -> Option<usize> {
    score(head.as_chunks::<4>().0.iter().map(|&bytes| char::from_u32(number(bytes))))
}

/// Returns the number of ASCII characters, line ends included. `None` if the characters cannot be those of a list, or
/// if none is ASCII, since the encoding could then not be told from another.
fn score(characters: impl Iterator<Item = Option<char>>) -> Option<usize> {
    let mut score = 0;
    for character in characters {
        let character = character?;
        match character.general_category() {
            GeneralCategory::Control if !matches!(character, '\t' | '\n' | '\r') => return None,
            GeneralCategory::Unassigned | GeneralCategory::PrivateUse => return None,
            _ => score += usize::from(character.is_ascii()),
        }
    }
    (score > 0).then_some(score)
}

/// Returns the name of the 8-bit encoding of Western Europe that text with these bytes may be in.
pub fn western(line: &[u8]) -> &'static str {
    // In 0x80..0xa0, Latin-1 has control characters, Windows-1252 letters and quotation marks.
    if line.iter().any(|byte| (0x80..0xa0).contains(byte)) { "WINDOWS-1252" } else { "ISO-8859-1" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, big: bool, wide: bool) -> Vec<u8> {
        let bytes = |unit: u32, size: usize| {
            let bytes = unit.to_be_bytes()[4 - size..].to_vec();
            if big { bytes } else { bytes.into_iter().rev().collect() }
        };
        match wide {
            true => text.chars().flat_map(|character| bytes(character.into(), 4)).collect(),
            false => text.encode_utf16().flat_map(|unit| bytes(unit.into(), 2)).collect(),
        }
    }

    #[test]
    fn wide_encodings_are_told_apart_without_a_mark() {
        let cyrillic = "анна\nборис\nвера\nглеб\nдарья\n";
        let han = "愛子\n恵子\n桜\n美咲\n".repeat(800);
        for text in ["anna\nemma\n", "anna\r\nzoë\r\n", "emma", cyrillic, &han] {
            for (big, wide, name) in [
                (false, false, "UTF-16LE"),
                (true, false, "UTF-16BE"),
                (false, true, "UTF-32LE"),
                (true, true, "UTF-32BE"),
            ] {
                assert_eq!(guess(&encoded(text, big, wide)), Some(Foreign::Text(name)), "{text:?}");
            }
        }
        assert_eq!(guess(b"\xff\xfea\0"), Some(Foreign::Text("UTF-16LE")));
    }

    #[test]
    fn files_of_other_kinds_are_named() {
        assert_eq!(guess(&[0; 10_000]), Some(Foreign::Binary));
        assert_eq!(guess(b"anna\nem\0ma\nolivia\nzoe\n"), None, "text with a NUL");
        assert!(by_signature(b"\x1f\x8b\x08").unwrap().to_string().contains("gunzip"));
        assert!(by_signature(b"PK\x03\x04").unwrap().to_string().contains("unzip -p"));
        assert_eq!(by_signature(b"\x50\0\0\0\0\0\0\0{\"__metadata__\""), Some(Foreign::Model));
        assert_eq!(by_signature(b"MORE\x02\0\x62\0"), Some(Foreign::Model));
        assert_eq!(by_signature(b"MOREAU\nMOREL\n"), None);
        assert_eq!(by_signature(b"anna\nemma\nolivia\n"), None);
        assert_eq!((western(b"zo\xeb"), western(b"\x93zo\x94")), ("ISO-8859-1", "WINDOWS-1252"));
    }
}
