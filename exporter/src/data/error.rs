//! Why a file is not a word list.

use std::path::PathBuf;

use runtime::PromptError;
use runtime::limits::{MAX_VOCAB_SIZE, MIN_VOCAB_SIZE};

use super::alphabet::explain;
use super::encoding::{Foreign, guess};
use super::looks::Look;

/// Longest word in messages, in characters.
const SHOWN: usize = 60;

/// Why a file is not a word list.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is a folder.
    #[error("cannot read {path}: it is a folder, a word list is a file with one word a line")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The file has another encoding, or is of another kind.
    #[error("{name}, line {line}: {found}")]
    Foreign {
        /// The list.
        name: String,
        /// Counted from 1.
        line: usize,
        /// The kind that the file seems to be.
        found: Foreign,
    },
    /// A line has a NUL byte, and no other line says why.
    #[error(
        "{name}, line {line}: a NUL byte, which no text has; `tr -d '\\000' < IN > OUT` removes it, and \
         `iconv -f UTF-16LE -t UTF-8 IN > OUT` converts text in UTF-16"
    )]
    Nul {
        /// The list.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A line is not UTF-8.
    #[error(
        "{name}, line {line}: not UTF-8 text (a word list has one word a line, in UTF-8); \
         `iconv -f {encoding} -t UTF-8 IN > OUT` converts it if it is in a Western European encoding, another one is \
         named after -f"
    )]
    NotUtf8 {
        /// The list.
        name: String,
        /// Counted from 1.
        line: usize,
        /// Name in `iconv` of the encoding that the list may have.
        encoding: &'static str,
    },
    /// A line has carriage returns within.
    #[error(
        "{name}, line {line}: {number} carriage returns without line feeds, as old Macs end lines; \
         `tr '\\r' '\\n' < IN > OUT` makes line feeds of them"
    )]
    CarriageReturns {
        /// The list.
        name: String,
        /// Counted from 1.
        line: usize,
        /// Number in the part of the line that was read.
        number: usize,
    },
    /// A line is longer than any word.
    #[error(
        "{name}, line {line}: more than {max} characters (a word list has one word a line){}",
        hint(look),
        max = super::MAX_WORD_CHARS
    )]
    WordTooLong {
        /// The list.
        name: String,
        /// Counted from 1.
        line: usize,
        /// What the line looks like.
        look: Option<Look>,
    },
    /// The words are too long for the memory that they may take.
    #[error("{name}: {words} words have more than {bytes} bytes; a lower --max-words takes a smaller sample")]
    TooMuchText {
        /// The list.
        name: String,
        /// Words held.
        words: usize,
        /// What they may have.
        bytes: usize,
    },
    /// There are no words.
    #[error(
        "{name} has 0 words: {}; at least {min} are needed to split it 80/10/10, one a line",
        if *is_empty { "the file is empty" } else { "all its lines are blank" },
        min = super::MIN_WORDS
    )]
    NoWords {
        /// The list.
        name: String,
        /// Whether the file has no bytes.
        is_empty: bool,
    },
    /// Too few words to split.
    #[error(
        "{name} has {words} word{}; at least {min} are needed to split it 80/10/10{}",
        if *words == 1 { "" } else { "s" },
        hint(look),
        min = super::MIN_WORDS
    )]
    TooFewWords {
        /// The list.
        name: String,
        /// Words found.
        words: usize,
        /// Kind of list that the longest line looks like.
        look: Option<Look>,
    },
    /// Too few or too many distinct characters.
    #[error(
        "{name} has {found} distinct characters; a model takes {min} to {max}{}",
        coverage.map_or(String::new(), |coverage| coverage.hint()),
        min = MIN_VOCAB_SIZE - 1,
        max = MAX_VOCAB_SIZE - 1
    )]
    Vocabulary {
        /// The list.
        name: String,
        /// Distinct characters found.
        found: usize,
        /// Number of words that the commonest characters cover; `None` unless there are too many characters.
        coverage: Option<Coverage>,
    },
    /// A word has a character that the model was not trained on.
    #[error(
        "{name}: the word {} has a character outside the model's vocabulary: {reason}{}",
        shown(word),
        if name == super::SHIPPED_NAME { "; --data FILE takes another list" } else { "" }
    )]
    UnknownCharacter {
        /// The list.
        name: String,
        /// The word.
        word: String,
        /// The character, and the form that the model knows.
        reason: String,
    },
}

impl DataError {
    /// Returns the error of a word with a character that `vocab` does not have.
    pub fn unknown_character(name: &str, word: &str, error: &PromptError, vocab: &str) -> Self {
        Self::UnknownCharacter { name: name.to_owned(), word: word.to_owned(), reason: explain(error, word, vocab) }
    }
}

/// Words that have only the commonest characters of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// These words.
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
            "; the {max} commonest cover {words} of its {of} words ({percent:.1} %), \
             `train --max-characters {max}` drops the others"
        )
    }
}

/// Fault of a line.
#[derive(Debug)]
pub(super) enum Fault {
    Nul,
    /// With what `iconv` calls the encoding that it may have.
    NotUtf8(&'static str),
    /// A line that is longer than any word, and not UTF-8.
    NotText,
    /// With their number.
    CarriageReturns(usize),
    TooLong(Option<Look>),
}

impl Fault {
    /// Returns the error that names list and line; `head` are the first bytes of the list.
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

/// Returns what a line looks like, to be added to a message.
fn hint(look: &Option<Look>) -> String {
    look.as_ref().map_or(String::new(), |look| format!("; it {look}"))
}

/// Returns a word in quotation marks, a long one cut.
fn shown(word: &str) -> String {
    match word.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &word[..end]),
        None => format!("{word:?}"),
    }
}
