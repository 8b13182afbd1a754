//! From a file with one word a line to training examples, as the lecture makes them.

pub mod python_random;

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use runtime::limits::{MAX_VOCAB_SIZE, MIN_VOCAB_SIZE};
use runtime::{BOUNDARY, Token, Vocab};
use sha2::{Digest, Sha256};

use python_random::PythonRandom;

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
/// Bytes of text per word that may be held, on average.
const WORD_BYTES: usize = 16;
/// Few words may be longer.
const MIN_TEXT_BYTES: usize = 1 << 20;
/// Fewest words: with less, a tenth of the list is no word at all.
pub const MIN_WORDS: usize = 10;
/// The seed of the lecture's split, and of a sample. Not the training's seed: the split stays the same for all of them.
const SPLIT_SEED: u32 = 42;

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
    /// A line is not UTF-8.
    #[error("{name}, line {line}: not UTF-8 text (a word list has one word a line, in UTF-8)")]
    NotUtf8 {
        /// The list.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A line is longer than any word.
    #[error("{name}, line {line}: more than {MAX_WORD_CHARS} characters (a word list has one word a line)")]
    WordTooLong {
        /// The list.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// The words are so long that so many of them do not fit the memory that is meant for them.
    #[error("{name}: {words} words have more than {bytes} bytes; a lower --max-words takes a smaller sample")]
    TooMuchText {
        /// The list.
        name: String,
        /// Words held.
        words: usize,
        /// What they may have.
        bytes: usize,
    },
    /// Too few words to split.
    #[error("{name} has {words} words; at least {MIN_WORDS} are needed to split it 80/10/10")]
    TooFewWords {
        /// The list.
        name: String,
        /// Words found.
        words: usize,
    },
    /// Too few or too many distinct characters.
    #[error("{name} has {found} distinct characters; a model takes {min} to {max}", min = MIN_VOCAB_SIZE - 1, max = MAX_VOCAB_SIZE - 1)]
    Vocabulary {
        /// The list.
        name: String,
        /// Distinct characters found.
        found: usize,
    },
    /// A word has a character that the model was not trained on.
    #[error("{name}: the word {word:?} has a character outside the model's vocabulary: {source}")]
    UnknownCharacter {
        /// The list.
        name: String,
        /// The word.
        word: String,
        /// Which character.
        source: runtime::PromptError,
    },
}

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
}

/// A part of a list that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Words taken, before duplicates are dropped.
    pub words: usize,
    /// Words of the list.
    pub of: usize,
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
        let mut reader = BufReader::with_capacity(1 << 16, source);
        let mut hash = Sha256::new();
        let mut reservoir = Reservoir::new(limit);
        let mut bytes = Vec::new();
        let mut total = 0;
        for line in 1.. {
            bytes.clear();
            // A line of any length must not fill the memory: read no more than a word can have, and a bit.
            let most = 4 * MAX_WORD_CHARS + 16;
            let read = (&mut reader).take(most as u64).read_until(b'\n', &mut bytes);
            let read = read.map_err(|source| DataError::Read { path: path.to_owned(), source })? as u64;
            if read == 0 {
                break;
            }
            if (total + read) >> 20 != total >> 20 {
                progress(total + read);
            }
            total += read;
            hash.update(&bytes);
            let text = match std::str::from_utf8(&bytes) {
                Ok(text) => text,
                Err(_) if bytes.len() >= most => return Err(DataError::WordTooLong { name: name.to_owned(), line }),
                Err(_) => return Err(DataError::NotUtf8 { name: name.to_owned(), line }),
            };
            let word = text.trim_start_matches('\u{feff}').trim();
            if word.chars().count() > MAX_WORD_CHARS || bytes.len() >= most {
                return Err(DataError::WordTooLong { name: name.to_owned(), line });
            }
            if !word.is_empty() {
                reservoir.offer(word);
                if reservoir.text_bytes > reservoir.max_text_bytes() {
                    let (words, bytes) = (reservoir.words.len(), reservoir.max_text_bytes());
                    return Err(DataError::TooMuchText { name: name.to_owned(), words, bytes });
                }
            }
        }
        let (words, sample) = reservoir.into_words();
        Ok(Self { name: name.to_owned(), words, sample, sha256: hash.finalize().into(), deduplicated: false })
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

    /// The vocabulary of the list: the boundary's sign, then its characters in the order of their code points.
    ///
    /// # Errors
    /// [`DataError::Vocabulary`] unless there are 2 to 255 of them.
    pub fn vocab(&self) -> Result<String, DataError> {
        let characters: BTreeSet<char> = self.words.iter().flat_map(|word| word.chars()).collect();
        let found = characters.len();
        if !(MIN_VOCAB_SIZE - 1..MAX_VOCAB_SIZE).contains(&found) {
            return Err(DataError::Vocabulary { name: self.name.clone(), found });
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
            return Err(DataError::TooFewWords { name: self.name.clone(), words: count });
        }
        let mut train = self.words.clone();
        PythonRandom::new(SPLIT_SEED).shuffle(&mut train);
        // int(0.8 * len(words)), in the same floating point as Python's.
        let (first, second) = ((0.8 * count as f64) as usize, (0.9 * count as f64) as usize);
        let test = train.split_off(second);
        let dev = train.split_off(first);
        Ok(Split { train, dev, test })
    }

    /// [`Words::read`] of what stands in memory; `name` is what to call it.
    ///
    /// # Errors
    /// [`DataError`] has that name, and the line where there is one.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, DataError> {
        Self::parse(name, bytes, Path::new(name), MAX_WORDS, &mut |_| ())
    }
}

/// A uniform sample of a stream of unknown length: all words while they are few, then each new one takes the place of a random
/// one with probability `limit / offered` (Vitter, "Random sampling with a reservoir", 1985, algorithm R).
struct Reservoir {
    limit: usize,
    random: PythonRandom,
    /// With their places in the list.
    words: Vec<(usize, String)>,
    offered: usize,
    text_bytes: usize,
}

impl Reservoir {
    fn new(limit: usize) -> Self {
        Self { limit, random: PythonRandom::new(SPLIT_SEED), words: Vec::new(), offered: 0, text_bytes: 0 }
    }

    fn offer(&mut self, word: &str) {
        self.offered += 1;
        let place = if self.offered <= self.limit { self.words.len() } else { self.random.below(self.offered) };
        if place >= self.limit {
            return;
        }
        let word = (self.offered, word.to_owned());
        self.text_bytes += word.1.len();
        match self.words.get_mut(place) {
            Some(old) => self.text_bytes -= std::mem::replace(old, word).1.len(),
            None => self.words.push(word),
        }
    }

    /// How long the words may be together.
    fn max_text_bytes(&self) -> usize {
        self.limit.saturating_mul(WORD_BYTES).max(MIN_TEXT_BYTES)
    }

    /// In the order of the list, and what part of it they are, if not all.
    fn into_words(mut self) -> (Vec<String>, Option<Sample>) {
        self.words.sort_unstable_by_key(|&(place, _)| place);
        let words = self.words.into_iter().map(|(_, word)| word).collect();
        let sample = Sample { words: self.limit, of: self.offered };
        (words, (sample.of > sample.words).then_some(sample))
    }
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

/// Contexts and targets: every character of every word, and its end, with the `block_size` characters before it.
#[derive(Clone, Debug)]
pub struct Examples {
    /// `[len][block_size]`, padded with the boundary in front.
    pub contexts: Vec<Token>,
    /// `[len]`.
    pub targets: Vec<Token>,
    /// Characters of a context.
    pub block_size: usize,
}

impl Examples {
    /// The lecture's `build_dataset`.
    ///
    /// # Errors
    /// [`DataError::UnknownCharacter`] for a word the vocabulary does not cover; `name` is what to call the list.
    pub fn new(name: &str, words: &[String], vocab: Vocab<'_>, block_size: usize) -> Result<Self, DataError> {
        let mut examples = Self { contexts: Vec::new(), targets: Vec::new(), block_size };
        let mut context = vec![BOUNDARY; block_size];
        for word in words {
            context.fill(BOUNDARY);
            let tokens = word.chars().map(|character| {
                vocab.encode(character).map_err(|source| DataError::UnknownCharacter {
                    name: name.to_owned(),
                    word: word.clone(),
                    source,
                })
            });
            for token in tokens.chain([Ok(BOUNDARY)]) {
                let token = token?;
                examples.contexts.extend_from_slice(&context);
                examples.targets.push(token);
                context.rotate_left(1);
                context[block_size - 1] = token;
            }
        }
        Ok(examples)
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// A hash as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
