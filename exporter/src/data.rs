//! From a file with one word a line to training examples, as the lecture makes them.

pub mod alphabet;
mod encoding;
mod error;
mod examples;
pub mod looks;
pub mod python_random;
mod reservoir;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use runtime::limits::{MAX_VOCAB_SIZE, MIN_VOCAB_SIZE};
use sha2::{Digest, Sha256};

pub use error::DataError;
pub use examples::Examples;
pub use reservoir::Sample;

use alphabet::Oddities;
use error::Coverage;
use looks::Look;
use python_random::PythonRandom;
use reservoir::Reservoir;

/// The list used when none is given: given names from many cultures, in a to z.
pub const SHIPPED_WORDS: &str = include_str!("../data/names.txt");
/// What the shipped list is called in messages.
pub const SHIPPED_NAME: &str = "the shipped list of names";
/// The sign of the boundary in a vocabulary, as in the lecture.
pub const BOUNDARY_SIGN: char = '.';
/// Longest word, in characters. A longer line is hardly a word; a file of another kind is refused early this way.
pub const MAX_WORD_CHARS: usize = 1024;
/// Most words that are held, unless told otherwise: a training on so many takes 1.8 GB. Of a longer list they are a sample.
pub const MAX_WORDS: usize = 1_000_000;
/// Fewest words: with less, a tenth of the list is no word at all.
pub const MIN_WORDS: usize = 10;
/// Most characters of a list, besides the boundary.
pub const MAX_CHARACTERS: usize = MAX_VOCAB_SIZE - 1;
/// The seed of the lecture's split. Not the training's seed: the split stays the same for all of them.
const SPLIT_SEED: u32 = 42;

/// A word list, in the order of its file.
#[derive(Clone, Debug)]
pub struct Words {
    /// What to call it in messages.
    pub name: String,
    /// The words; duplicates are kept unless [`Words::dedup`] was called.
    pub words: Vec<String>,
    /// What part of the list they are; none where all are here.
    pub sample: Option<Sample>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Whether [`Words::dedup`] was called.
    pub deduplicated: bool,
    /// The number of characters that [`Words::keep_commonest`] was called with.
    pub max_characters: Option<usize>,
}

impl Words {
    /// The shipped list.
    ///
    /// # Errors
    /// None in practice: the list is tested.
    pub fn shipped() -> Result<Self, DataError> {
        Self::from_bytes(SHIPPED_NAME, SHIPPED_WORDS.as_bytes())
    }

    /// Reads a file with one word a line: UTF-8, LF or CRLF, white space around words, blank lines and a byte-order mark
    /// dropped, duplicates kept. Of more than [`MAX_WORDS`] a sample.
    ///
    /// # Errors
    /// [`DataError`] names the file, and the line where there is one.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::read_up_to(path, MAX_WORDS, &mut |_| ())
    }

    /// [`Words::read`], with at most `limit` words in memory, whatever the file has. If it has more, they are a uniform sample
    /// in the order of the file, the same one every time. `progress` is called for every MiB, with the bytes read so far.
    ///
    /// # Errors
    /// [`DataError`] names the file, and the line where there is one.
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
        Ok(Self { name: name.to_owned(), words, sample, sha256, deduplicated: false, max_characters: None })
    }

    /// Notes for a user, one line each, without the list's name: another kind of file that the list looks like, and
    /// invisible characters.
    pub fn notes(&self) -> Vec<String> {
        let look = Look::of(&self.words).map(|look| format!("{look}, until then whole lines are the words"));
        look.into_iter().chain(Oddities::of(&self.words).notes()).collect()
    }

    /// Number of words that stood in the list before.
    pub fn duplicates(&self) -> usize {
        let distinct: HashSet<&str> = self.words.iter().map(String::as_str).collect();
        self.words.len() - distinct.len()
    }

    /// Drops every word that stood in the list before; gives their number.
    pub fn dedup(&mut self) -> usize {
        self.deduplicated = true;
        let before = self.words.len();
        let mut seen = HashSet::new();
        self.words.retain(|word| seen.insert(word.clone()));
        before - self.words.len()
    }

    /// Drops the words with characters that are not in `vocab`, the boundary first; returns their number.
    pub fn keep_known(&mut self, vocab: &str) -> usize {
        self.keep(&vocab.chars().skip(1).collect())
    }

    /// Drops the words with other characters; returns their number.
    fn keep(&mut self, characters: &BTreeSet<char>) -> usize {
        let before = self.words.len();
        self.words.retain(|word| word.chars().all(|character| characters.contains(&character)));
        before - self.words.len()
    }

    /// Drops the words with other characters than the `most` commonest; returns their number.
    pub fn keep_commonest(&mut self, most: usize) -> usize {
        self.max_characters = Some(most);
        self.keep(&self.commonest(most))
    }

    /// The characters that are in most words; of equally common ones those of lower code points.
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

    /// The vocabulary of the list: the boundary's sign, then its characters in the order of their code points.
    ///
    /// # Errors
    /// [`DataError::Vocabulary`] unless there are 2 to 255 of them.
    pub fn vocab(&self) -> Result<String, DataError> {
        let characters: BTreeSet<char> = self.words.iter().flat_map(|word| word.chars()).collect();
        let found = characters.len();
        if !(MIN_VOCAB_SIZE - 1..MAX_VOCAB_SIZE).contains(&found) {
            let coverage = (found > MAX_CHARACTERS).then(|| {
                let commonest = self.commonest(MAX_CHARACTERS);
                let is_covered = |word: &&String| word.chars().all(|character| commonest.contains(&character));
                Coverage { words: self.words.iter().filter(is_covered).count(), of: self.words.len() }
            });
            return Err(DataError::Vocabulary { name: self.name.clone(), found, coverage });
        }
        Ok(std::iter::once(BOUNDARY_SIGN).chain(characters).collect())
    }

    /// The lecture's split: Python's `random.seed(42)`, `random.shuffle(words)`, then 80 %, 10 %, 10 %.
    ///
    /// # Errors
    /// [`DataError::TooFewWords`] for fewer than [`MIN_WORDS`].
    pub fn split(&self) -> Result<Split, DataError> {
        let count = self.words.len();
        if count < MIN_WORDS {
            return Err(self.too_few());
        }
        let mut train = self.words.clone();
        PythonRandom::new(SPLIT_SEED).shuffle(&mut train);
        // int(0.8 * len(words)), in the same floating point as Python's.
        let (first, second) = ((0.8 * count as f64) as usize, (0.9 * count as f64) as usize);
        let test = train.split_off(second);
        let dev = train.split_off(first);
        Ok(Split { train, dev, test })
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

    /// [`Words::read`] of what stands in memory; `name` is what to call it.
    ///
    /// # Errors
    /// [`DataError`] has that name, and the line where there is one.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, DataError> {
        Self::parse(name, bytes, Path::new(name), MAX_WORDS, &mut |_| ())
    }
}

/// Bytes that are read of a line, a few more than a word can have: a line of any length must not fill the memory.
const MOST_BYTES: usize = 4 * MAX_WORD_CHARS + 16;

/// Returns the word of a line, without white space and byte-order mark around it; empty for a blank line.
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

/// The three parts of a list.
#[derive(Clone, Debug)]
pub struct Split {
    /// What the model learns from.
    pub train: Vec<String>,
    /// What choices are made by.
    pub dev: Vec<String>,
    /// What is reported once.
    pub test: Vec<String>,
}

/// A hash as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
