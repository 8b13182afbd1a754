//! Errors of files that are not word lists.

use std::path::PathBuf;

use runtime::PromptError;
use runtime::limits::{MAX_VOCAB_SIZE, MIN_VOCAB_SIZE};

use super::alphabet::explain;
use super::encoding::{Foreign, guess};
use super::looks::Look;

/// Number of a word's characters that messages show.
const SHOWN: usize = 60;

/// Reasons why a file is not a word list.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is a folder.
    #[error("cannot read {path}: it is a folder; a word list is a file with one word per line")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The file has another encoding or is of another kind.
    #[error("{name}, line {line}: {found}")]
    Foreign {
        /// The list.
        name: String,
        /// Line number, from 1.
        line: usize,
        /// Kind of file that it seems to be.
        found: Foreign,
    },
    /// A line has a NUL byte, and the beginning of the file does not explain it.
    #[error(
        "{name}, line {line}: a NUL byte, which text does not have; `tr -d '\\000' < IN > OUT` removes it, or, if the \
         file is UTF-16, `iconv -f UTF-16LE -t UTF-8 IN > OUT` converts it"
    )]
    Nul {
        /// The list.
        name: String,
        /// Line number, from 1.
        line: usize,
    },
    /// A line is not UTF-8.
    #[error(
        "{name}, line {line}: not UTF-8 text (a word list has one word per line, in UTF-8); \
         `iconv -f {encoding} -t UTF-8 IN > OUT` converts text in a Western European encoding; for another encoding, \
         put its name after -f"
    )]
    NotUtf8 {
        /// The list.
        name: String,
        /// Line number, from 1.
        line: usize,
        /// The likely encoding, by the name that `iconv` knows.
        encoding: &'static str,
    },
    /// A line has carriage returns inside.
    #[error(
        "{name}, line {line}: {number} carriage returns without line feeds, the line ends of old Macs; \
         `tr '\\r' '\\n' < IN > OUT` turns them into line feeds"
    )]
    CarriageReturns {
        /// The list.
        name: String,
        /// Line number, from 1.
        line: usize,
        /// Number of carriage returns in the part of the line that was read.
        number: usize,
    },
    /// A line is longer than any word.
    #[error(
        "{name}, line {line}: more than {max} characters (a word list has one word per line){}",
        hint(look),
        max = super::MAX_WORD_CHARS
    )]
    WordTooLong {
        /// The list.
        name: String,
        /// Line number, from 1.
        line: usize,
        /// Kind of list that the line looks like.
        look: Option<Look>,
    },
    /// The words have more text than may be held in memory.
    #[error("{name}: {words} words have more than {bytes} bytes; a lower --max-words takes a smaller sample")]
    TooMuchText {
        /// The list.
        name: String,
        /// Number of words held.
        words: usize,
        /// Most bytes that they may have together.
        bytes: usize,
    },
    /// A text is too short to split.
    #[error("{name} has {characters} characters; a text needs at least 1,000")]
    TextTooShort {
        /// The text.
        name: String,
        /// Number of characters found.
        characters: usize,
    },
    /// A text is too long for the memory.
    #[error("{name} has more than 268,435,456 bytes; `head -c 256M IN > OUT` takes the first")]
    TextTooLong {
        /// The text.
        name: String,
    },
    /// The list has no words.
    #[error(
        "{name} has 0 words: {}; the 80/10/10 split needs at least {min}, one per line",
        if *is_empty { "the file is empty" } else { "all its lines are blank" },
        min = super::MIN_WORDS
    )]
    NoWords {
        /// The list.
        name: String,
        /// True if the file has no bytes, false if all lines are blank.
        is_empty: bool,
    },
    /// The list has too few words to split.
    #[error(
        "{name} has {words} word{}; the 80/10/10 split needs at least {min}{}",
        if *words == 1 { "" } else { "s" },
        hint(look),
        min = super::MIN_WORDS
    )]
    TooFewWords {
        /// The list.
        name: String,
        /// Number of words found.
        words: usize,
        /// Kind of list that the longest line looks like.
        look: Option<Look>,
    },
    /// The list has too few or too many distinct characters.
    #[error(
        "{name} has {found} distinct characters; a model takes {min} to {max}{}",
        coverage.map_or(String::new(), |coverage| coverage.hint()),
        min = MIN_VOCAB_SIZE - 1,
        max = MAX_VOCAB_SIZE - 1
    )]
    Vocabulary {
        /// The list.
        name: String,
        /// Number of distinct characters found.
        found: usize,
        /// Words that the commonest characters cover; `None` unless there are too many characters.
        coverage: Option<Coverage>,
    },
    /// A word has a character that the model was not trained on.
    #[error(
        "{name}: the word {} has a character outside the model's vocabulary: {reason}{}",
        shown(word),
        if name == super::SHIPPED_NAME { "; --data FILE reads another list" } else { "" }
    )]
    UnknownCharacter {
        /// The list.
        name: String,
        /// The word.
        word: String,
        /// The character, and the normal form that the model knows.
        reason: String,
    },
}

impl DataError {
    /// Returns the error for a word with a character that `vocab` does not have. Of a text, names the line.
    pub fn unknown_character(name: &str, word: &str, error: &PromptError, vocab: &str) -> Self {
        let has =
            |line: &&str| matches!(error, PromptError::UnknownCharacter { character } if line.contains(*character));
        let word = word.lines().find(has).unwrap_or(word);
        Self::UnknownCharacter { name: name.to_owned(), word: word.to_owned(), reason: explain(error, word, vocab) }
    }
}

/// Number of words that have only the commonest characters of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Words covered.
    pub words: usize,
    /// All words of the list.
    pub of: usize,
}

impl Coverage {
    fn hint(self) -> String {
        let Self { words, of } = self;
        let percent = 100.0 * words as f64 / of.max(1) as f64;
        let max = super::MAX_CHARACTERS;
        format!(
            "; the {max} commonest cover {words} of its {of} words ({percent:.1} %); \
             `train --max-characters {max}` drops the others"
        )
    }
}

/// Faults of a line.
#[derive(Debug)]
pub(super) enum Fault {
    Nul,
    /// Bytes that are not UTF-8; carries the likely encoding, by the name that `iconv` knows.
    NotUtf8(&'static str),
    /// Longer than any word, and not UTF-8.
    NotText,
    /// Number of carriage returns inside the line.
    CarriageReturns(usize),
    TooLong(Option<Look>),
}

impl Fault {
    /// Returns the error that names the list and the line; `head` has the first bytes of the list.
    pub fn in_line(self, name: &str, line: usize, head: &[u8]) -> DataError {
        let name = name.to_owned();
        match self {
            Self::Nul | Self::NotUtf8(_) | Self::NotText if let Some(found) = guess(head) => {
                DataError::Foreign { name, line, found }
            }
            Self::Nul => DataError::Nul { name, line },
            Self::NotUtf8(encoding) => DataError::NotUtf8 { name, line, encoding },
            Self::CarriageReturns(number) => DataError::CarriageReturns { name, line, number },
            Self::NotText => DataError::WordTooLong { name, line, look: None },
            Self::TooLong(look) => DataError::WordTooLong { name, line, look },
        }
    }
}

/// Returns the end of a message that says what kind of list a line looks like.
fn hint(look: &Option<Look>) -> String {
    look.as_ref().map_or(String::new(), |look| format!("; it {look}"))
}

/// Returns a word in quotation marks; a long word is cut.
fn shown(word: &str) -> String {
    match word.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &word[..end]),
        None => format!("{word:?}"),
    }
}
