//! Reads word lists and texts, splits them, and makes the lecture's training examples from them.

pub mod alphabet;
mod encoding;
mod error;
mod examples;
pub mod looks;
pub mod python_random;
mod reservoir;
mod split;
pub mod text;
mod torch_random;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use runtime::limits::{MAX_VOCAB_SIZE, MIN_VOCAB_SIZE};
use sha2::{Digest, Sha256};

pub use error::DataError;
pub use examples::{Examples, tokens};
pub use reservoir::Sample;
pub use split::{Split, SplitRule};

use alphabet::Oddities;
use error::Coverage;
use looks::Look;
use reservoir::Reservoir;

/// The default word list: given names from many cultures, written with the letters a to z.
pub const SHIPPED_WORDS: &str = include_str!("../data/names.txt");
/// Name of the shipped list in messages.
pub const SHIPPED_NAME: &str = "the shipped list of names";
/// The sign of the boundary in a vocabulary, as in the lecture.
pub const BOUNDARY_SIGN: char = '.';
/// Longest word, in characters. The limit refuses files of another kind early: a longer line is hardly a word.
pub const MAX_WORD_CHARS: usize = 1024;
/// Default limit of words in memory; a longer list is sampled. A training on that many words takes 1.8 GB.
pub const MAX_WORDS: usize = 1_000_000;
/// Fewest words of a list. A tenth of a shorter list would be less than one word.
pub const MIN_WORDS: usize = 10;
/// Most distinct characters of a list, not counting the boundary.
pub const MAX_CHARACTERS: usize = MAX_VOCAB_SIZE - 1;

/// The words of a list, in the order of the file; or a text, which is one word without an end.
#[derive(Clone, Debug)]
pub struct Words {
    /// Name of the list in messages.
    pub name: String,
    /// The words, with duplicates unless [`Words::dedup`] was called.
    pub words: Vec<String>,
    /// Size of the sample if `words` is a sample of the list, `None` if it is the whole list.
    pub sample: Option<Sample>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// True if [`Words::dedup`] was called.
    pub deduplicated: bool,
    /// The argument of [`Words::keep_commonest`], if it was called.
    pub max_characters: Option<usize>,
    /// Rule that [`Words::split`] follows; `None` for the default.
    pub split_rule: Option<SplitRule>,
}

impl Words {
    /// Returns the shipped list.
    ///
    /// # Errors
    /// None in practice: the list is tested.
    pub fn shipped() -> Result<Self, DataError> {
        Self::from_bytes(SHIPPED_NAME, SHIPPED_WORDS.as_bytes())
    }

    /// Reads a file with one word per line: UTF-8, with line ends LF or CRLF.
    ///
    /// Drops white space around words, blank lines and a byte-order mark; keeps duplicates. Samples a list of more than
    /// [`MAX_WORDS`] words.
    ///
    /// # Errors
    /// [`DataError`] names the file, and the line if the error is in one line.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::read_up_to(path, MAX_WORDS, &mut |_| ())
    }

    /// Reads a file as [`Words::read`] does, and keeps at most `limit` words in memory.
    ///
    /// A longer file yields a uniform sample in the order of the file, the same one every time. `progress` is called
    /// for every MiB, with the number of bytes read so far.
    ///
    /// # Errors
    /// [`DataError`] names the file, and the line if the error is in one line.
    pub fn read_up_to(path: &Path, limit: usize, progress: &mut dyn FnMut(u64)) -> Result<Self, DataError> {
        let read_error = |source| DataError::Read { path: path.to_owned(), source };
        if path.is_dir() {
            return Err(DataError::Folder { path: path.to_owned() });
        }
        let file = File::open(path).map_err(read_error)?;
        Self::parse(&path.display().to_string(), file, path, limit, progress)
    }

    fn parse(
        name: &str,
        source: impl Read,
        path: &Path,
        limit: usize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, DataError> {
        let read_error = |source| DataError::Read { path: path.to_owned(), source };
        let mut reader = BufReader::with_capacity(1 << 16, source);
        let head = reader.fill_buf().map_err(read_error)?.to_vec();
        if let Some(found) = encoding::by_signature(&head) {
            return Err(DataError::Foreign { name: name.to_owned(), line: 1, found });
        }
        let mut hash = Sha256::new();
        let mut reservoir = Reservoir::new(limit);
        let mut bytes = Vec::new();
        let mut total = 0;
        for line in 1.. {
            bytes.clear();
            let read = (&mut reader).take(MOST_BYTES as u64).read_until(b'\n', &mut bytes);
            let read = read.map_err(read_error)? as u64;
            if read == 0 {
                break;
            }
            if (total + read) >> 20 != total >> 20 {
                progress(total + read);
            }
            total += read;
            hash.update(&bytes);
            let word = word(&bytes).map_err(|fault| fault.in_line(name, line, &head))?;
            if !word.is_empty() {
                reservoir.offer(word);
                if reservoir.text_bytes > reservoir.max_text_bytes() {
                    let (words, bytes) = (reservoir.words.len(), reservoir.max_text_bytes());
                    return Err(DataError::TooMuchText { name: name.to_owned(), words, bytes });
                }
            }
        }
        let (words, sample) = reservoir.into_words();
        let sha256 = hash.finalize().into();
        Ok(Self {
            name: name.to_owned(),
            words,
            sample,
            sha256,
            deduplicated: false,
            max_characters: None,
            split_rule: None,
        })
    }

    /// Reads a text in UTF-8, with line ends LF or CRLF: see [`text`].
    ///
    /// # Errors
    /// [`DataError`] names the file, and the line if the error is in one line.
    pub fn read_text(path: &Path) -> Result<Self, DataError> {
        let read_error = |source| DataError::Read { path: path.to_owned(), source };
        if path.is_dir() {
            return Err(DataError::Folder { path: path.to_owned() });
        }
        let mut bytes = Vec::new();
        // One byte more, so that a longer text is noticed.
        let most = text::MAX_TEXT_BYTES as u64 + 1;
        File::open(path).map_err(read_error)?.take(most).read_to_end(&mut bytes).map_err(read_error)?;
        Self::text(&path.display().to_string(), &bytes)
    }

    /// Parses the bytes of a text as [`Words::read_text`] does; `name` is the text's name in messages.
    ///
    /// # Errors
    /// [`DataError`] has that name, and the line if the error is in one line.
    pub fn text(name: &str, bytes: &[u8]) -> Result<Self, DataError> {
        Ok(Self {
            name: name.to_owned(),
            words: vec![text::parse(name, bytes)?],
            sample: None,
            sha256: Sha256::digest(bytes).into(),
            deduplicated: false,
            max_characters: None,
            split_rule: Some(SplitRule::Text),
        })
    }

    /// Returns whether this is a text.
    pub fn is_text(&self) -> bool {
        self.split_rule == Some(SplitRule::Text)
    }

    /// Returns notes for a user, one line each and without the list's name: whether the list looks like another kind of
    /// file, and which invisible characters it has.
    pub fn notes(&self) -> Vec<String> {
        let look = Look::of(&self.words).map(|look| format!("{look}; as it is, each whole line is taken as one word"));
        look.into_iter().chain(Oddities::of(&self.words).notes()).collect()
    }

    /// Returns the number of words that repeat an earlier word of the list.
    pub fn duplicates(&self) -> usize {
        let distinct: HashSet<&str> = self.words.iter().map(String::as_str).collect();
        self.words.len() - distinct.len()
    }

    /// Drops every word that repeats an earlier word; returns the number of dropped words.
    pub fn dedup(&mut self) -> usize {
        self.deduplicated = true;
        let before = self.words.len();
        let mut seen = HashSet::new();
        self.words.retain(|word| seen.insert(word.clone()));
        before - self.words.len()
    }

    /// Drops the words with characters that are not in `vocab`; returns the number of dropped words. The first
    /// character of `vocab` is the boundary.
    pub fn keep_known(&mut self, vocab: &str) -> usize {
        self.keep(&vocab.chars().skip(1).collect())
    }

    /// Drops the words with other characters; returns the number of dropped words.
    fn keep(&mut self, characters: &BTreeSet<char>) -> usize {
        let before = self.words.len();
        self.words.retain(|word| word.chars().all(|character| characters.contains(&character)));
        before - self.words.len()
    }

    /// Drops the words with other characters than the `most` commonest; returns the number of dropped words.
    pub fn keep_commonest(&mut self, most: usize) -> usize {
        self.max_characters = Some(most);
        self.keep(&self.commonest(most))
    }

    /// Returns the `most` characters that are in the most words; of equally common ones, those with lower code points.
    fn commonest(&self, most: usize) -> BTreeSet<char> {
        let mut words: BTreeMap<char, usize> = BTreeMap::new();
        for word in &self.words {
            for character in word.chars().collect::<BTreeSet<_>>() {
                *words.entry(character).or_default() += 1;
            }
        }
        let mut characters: Vec<_> = words.into_iter().collect();
        characters.sort_by_key(|&(character, words)| (std::cmp::Reverse(words), character));
        characters.into_iter().take(most).map(|(character, _)| character).collect()
    }

    /// Returns the vocabulary of the list: the boundary's sign, then the characters in the order of their code points.
    /// That of a text always has the line feed.
    ///
    /// # Errors
    /// [`DataError::Vocabulary`] unless the list has 2 to 255 distinct characters.
    pub fn vocab(&self) -> Result<String, DataError> {
        let line_feed = self.is_text().then_some('\n');
        let characters: BTreeSet<char> = self.words.iter().flat_map(|word| word.chars()).chain(line_feed).collect();
        let found = characters.len();
        if !(MIN_VOCAB_SIZE - 1..MAX_VOCAB_SIZE).contains(&found) {
            let coverage = (found > MAX_CHARACTERS && !self.is_text()).then(|| {
                let commonest = self.commonest(MAX_CHARACTERS);
                let is_covered = |word: &&String| word.chars().all(|character| commonest.contains(&character));
                Coverage { words: self.words.iter().filter(is_covered).count(), of: self.words.len() }
            });
            return Err(DataError::Vocabulary { name: self.name.clone(), found, coverage });
        }
        Ok(std::iter::once(BOUNDARY_SIGN).chain(characters).collect())
    }

    /// Returns the rule that [`Words::split`] follows.
    pub fn rule(&self) -> SplitRule {
        self.split_rule.unwrap_or_default()
    }

    /// Splits the list by [`Words::split_rule`].
    ///
    /// # Errors
    /// [`DataError::TooFewWords`] for fewer than [`MIN_WORDS`].
    pub fn split(&self) -> Result<Split, DataError> {
        // The length of a text was checked when it was read.
        if self.words.len() < MIN_WORDS && !self.is_text() {
            return Err(self.too_few());
        }
        Ok(self.rule().split(&self.words))
    }

    fn too_few(&self) -> DataError {
        let name = self.name.clone();
        let words = self.words.len();
        if words == 0 && self.sample.is_none() && self.max_characters.is_none() {
            let is_empty = self.sha256 == <[u8; 32]>::from(Sha256::digest([]));
            return DataError::NoWords { name, is_empty };
        }
        let longest = self.words.iter().max_by_key(|word| word.len());
        DataError::TooFewWords { name, words, look: longest.and_then(|line| Look::of_one_line(line)) }
    }

    /// Parses the bytes of a list as [`Words::read`] does; `name` is the list's name in messages.
    ///
    /// # Errors
    /// [`DataError`] has that name, and the line if the error is in one line.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, DataError> {
        Self::parse(name, bytes, Path::new(name), MAX_WORDS, &mut |_| ())
    }
}

/// Most bytes read of a line, a few more than the longest word: a line without an end must not fill the memory.
const MOST_BYTES: usize = 4 * MAX_WORD_CHARS + 16;

/// Returns the word in a line, without white space and byte-order mark around it; empty for a blank line.
fn word(bytes: &[u8]) -> Result<&str, error::Fault> {
    use error::Fault;
    if bytes.contains(&0) {
        return Err(Fault::Nul);
    }
    let is_long = bytes.len() >= MOST_BYTES;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last character may have been cut.
        Err(error) if is_long && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) if is_long => return Err(Fault::NotText),
        Err(_) => return Err(Fault::NotUtf8(encoding::western(bytes))),
    };
    let word = text.trim_start_matches('\u{feff}').trim();
    if word.contains('\r') {
        return Err(Fault::CarriageReturns(word.matches('\r').count()));
    }
    if is_long || word.chars().count() > MAX_WORD_CHARS {
        return Err(Fault::TooLong(Look::of_one_line(word)));
    }
    Ok(word)
}

/// Returns bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
