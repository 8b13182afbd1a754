//! Many words at once, on all cores of a computer.
//!
//! A chip draws one word after the other. A computer draws [`STREAMS`] words at a time on every core: it reads each
//! weight once for all of them, and a vector holds one value of each word instead of several values of one word.
//!
//! # The list of words
//!
//! Word `i` of a seed equals, bit by bit, the first word of a [`crate::Generator`] with the seed
//! [`word_seed`]`(seed, i)`. So it depends neither on the number of words drawn nor on the number of threads, and any
//! part of the list can be drawn separately, on another computer, or on a chip.
//!
//! The list differs from that of a single `Generator`. There all words share one sequence of random numbers, so each
//! word depends on those before it.
//!
//! ```
//! use runtime::batch::{Batch, word_seed};
//! use runtime::{Generator, HeapState, Model, Sampling};
//! # #[cfg(feature = "f32")]
//! # static BLOB: &[u8] = runtime::include_blob!("../models/tiny.blob");
//! # #[cfg(not(feature = "f32"))]
//! # static BLOB: &[u8] = runtime::include_blob!("../models/tiny.int8.blob");
//! let model = Model::new(BLOB)?;
//! let threads = std::thread::available_parallelism().map_or(1, usize::from);
//! let words = Batch::new(&model, Sampling::default()).words(42, 0..100, threads);
//!
//! let mut state = HeapState::new(&model);
//! let mut generator = Generator::new(&model, &mut state, Sampling::default(), word_seed(42, 7))?;
//! let word: String = generator.start("")?.collect();
//! assert_eq!(words[7].text, word);
//! # Ok::<(), runtime::Error>(())
//! ```

mod float;
mod integer;
mod lanes;
mod pairs;

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use rand_core::SeedableRng;
use rand_xoshiro::Xoshiro128PlusPlus;

use self::lanes::{Lanes, Network};
use crate::error::PromptError;
use crate::generator::{DEFAULT_MAX_LEN, End};
use crate::kernels::host::STREAMS;
use crate::model::{Model, Net};
use crate::sampling::Sampling;
use crate::vocab::{BOUNDARY, Token};

/// Word that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Characters of the word, prompt included. May be empty.
    pub text: String,
    /// Reason why the word ended.
    pub end: End,
}

/// Returns the seed of word `index` of the list that belongs to `seed`.
///
/// It is output `index` of the generator SplitMix64 started from `seed`, whose outputs can be computed in any order.
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.)
///
/// ```
/// use rand_core::{Rng, SeedableRng};
/// let mut generator = rand_xoshiro::SplitMix64::from_seed(42_u64.to_le_bytes());
/// assert_eq!(runtime::batch::word_seed(42, 0), generator.next_u64());
/// assert_eq!(runtime::batch::word_seed(42, 1), generator.next_u64());
/// ```
pub const fn word_seed(seed: u64, index: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(index.wrapping_add(1)));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Model prepared to draw many words at once.
///
/// Preparing computes level 0 for all combinations of characters, if they are few, and in integers copies the weights
/// into its own order. The copy is made of the weights' values, so every layout of a blob and every format of its level
/// 0 is equally fast.
pub struct Batch<'m> {
    model: &'m Model<'m>,
    sampling: Sampling,
    network: AnyNetwork<'m>,
    prompt: Vec<Token>,
    max_len: usize,
}

impl core::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { sampling, prompt, max_len, .. } = self;
        f.debug_struct("Batch")
            .field("sampling", sampling)
            .field("prompt", prompt)
            .field("max_len", max_len)
            .finish_non_exhaustive()
    }
}

enum AnyNetwork<'m> {
    F32(float::Float<'m>),
    Int(integer::Integer<'m>),
}

impl<'m> Batch<'m> {
    /// Returns a batch of words of at most [`DEFAULT_MAX_LEN`] characters, without a prompt.
    pub fn new(model: &'m Model<'m>, sampling: Sampling) -> Self {
        let network = match &model.net {
            Net::F32(net) => AnyNetwork::F32(float::Float::new(&model.header, net)),
            Net::Int(net) => AnyNetwork::Int(integer::Integer::new(&model.header, net)),
        };
        Self { model, sampling, network, prompt: Vec::new(), max_len: DEFAULT_MAX_LEN }
    }

    /// Sets the maximum number of characters of a word, prompt included (default [`DEFAULT_MAX_LEN`]).
    #[must_use]
    pub fn max_len(mut self, max_len: usize) -> Self {
        self.max_len = max_len;
        self
    }

    /// Sets the text with which every word begins.
    ///
    /// # Errors
    /// [`PromptError::UnknownCharacter`] with the first character that the model does not know;
    /// [`PromptError::TooLong`] if the prompt is longer than the longest word allowed, so call [`Self::max_len`] first.
    pub fn prompt(mut self, prompt: &str) -> Result<Self, PromptError> {
        let vocab = self.model.vocab();
        let tokens = prompt.chars().map(|character| vocab.encode(character)).collect::<Result<Vec<_>, _>>()?;
        if tokens.len() > self.max_len {
            return Err(PromptError::TooLong { len: tokens.len(), max: self.max_len });
        }
        self.prompt = tokens;
        Ok(self)
    }

    /// Returns the words `indices` of the list that belongs to `seed`, in the order of their indices, drawn on
    /// `threads` threads (at least one).
    pub fn words(&self, seed: u64, indices: Range<u64>, threads: usize) -> Vec<Word> {
        match &self.network {
            AnyNetwork::F32(network) => self.draw(network, seed, indices, threads),
            AnyNetwork::Int(network) => self.draw(network, seed, indices, threads),
        }
    }

    fn draw<N: Network + Sync>(&self, network: &N, seed: u64, indices: Range<u64>, threads: usize) -> Vec<Word> {
        // More threads than tiles would have nothing to do.
        let tiles = (indices.end.saturating_sub(indices.start)).div_ceil(STREAMS as u64);
        let threads = threads.clamp(1, usize::try_from(tiles).unwrap_or(usize::MAX).max(1));
        let characters: Vec<char> = self.model.vocab().as_str().chars().collect();
        let next = AtomicU64::new(indices.start);
        let worker =
            || Worker { batch: self, network, characters: &characters, seed, end: indices.end, next: &next }.run();
        let mut words = if threads == 1 {
            worker()
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
                let parts = threads.into_iter().map(|thread| thread.join());
                parts.flat_map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
            })
        };
        words.sort_unstable_by_key(|&(index, _)| index);
        words.into_iter().map(|(_, word)| word).collect()
    }
}

/// State of one thread. Whenever a word has ended, its stream takes the next index that no thread has taken.
struct Worker<'b, N> {
    batch: &'b Batch<'b>,
    network: &'b N,
    characters: &'b [char],
    seed: u64,
    end: u64,
    next: &'b AtomicU64,
}

/// Word that is being drawn.
struct Draft {
    index: u64,
    rng: Xoshiro128PlusPlus,
    word: Word,
    /// Number of characters that may still follow.
    left: usize,
}

impl<N: Network> Worker<'_, N> {
    fn run(self) -> Vec<(u64, Word)> {
        let mut done = Vec::new();
        let Batch { sampling, prompt, .. } = self.batch;
        let mut lanes = Lanes::new(self.network, prompt);
        let mut drafts: [Option<Draft>; STREAMS] = core::array::from_fn(|_| self.take());
        let mut tokens = [BOUNDARY; STREAMS];
        loop {
            for (stream, (slot, token)) in drafts.iter_mut().zip(&mut tokens).enumerate() {
                // Until the stream has a character to take: a word may end with its first draw, or begin at the limit.
                while let Some(draft) = slot {
                    let drawn = if draft.left == 0 {
                        draft.word.end = End::Limit;
                        BOUNDARY
                    } else {
                        lanes.draw(stream, sampling, &mut draft.rng)
                    };
                    match self.characters.get(usize::from(drawn)) {
                        Some(&character) if drawn != BOUNDARY => {
                            draft.word.text.push(character);
                            draft.left -= 1;
                            if draft.left > 0 {
                                *token = drawn;
                                break;
                            }
                        }
                        _ => {
                            let next = self.take();
                            if let Some(draft) = core::mem::replace(slot, next) {
                                done.push((draft.index, draft.word));
                            }
                            lanes.restart(stream);
                        }
                    }
                }
            }
            if drafts.iter().all(Option::is_none) {
                return done;
            }
            lanes.push(&tokens);
        }
    }

    /// Takes the next index that no thread has taken, or returns `None` at the end.
    fn take(&self) -> Option<Draft> {
        let Batch { prompt, max_len, .. } = self.batch;
        // The counter is all that threads share, so the order in which they see its changes does not matter.
        let next = |index: u64| (index < self.end).then(|| index + 1);
        let index = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        Some(Draft {
            index,
            rng: Xoshiro128PlusPlus::seed_from_u64(word_seed(self.seed, index)),
            word: Word {
                text: prompt.iter().filter_map(|&token| self.characters.get(usize::from(token))).collect(),
                end: End::Boundary,
            },
            left: max_len.saturating_sub(prompt.len()),
        })
    }
}
