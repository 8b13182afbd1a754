use super::numbers::Numbers;
#[cfg(doc)]
use crate::config::StateLayout;
use crate::error::StateError;
use crate::format::PREAMBLE_BYTES;
use crate::limits::MAX_LEVELS;

/// Buffers that a model runs in: `WORDS` 32-bit words, and a counter per ring.
///
/// The number of words that a model needs follows from its dimensions and is stored in its blob; [`state_words`] reads
/// it at compile time. A state that is too small is refused with the size that the model needs. A larger state fits any
/// smaller model.
///
/// ```
/// use runtime::{State, state_words};
/// static BLOB: &[u8] = runtime::include_blob!("../../models/tiny.blob");
/// let mut state = State::<{ state_words(BLOB) }>::new();
/// ```
#[derive(Clone, Debug)]
pub struct State<const WORDS: usize> {
    words: [u32; WORDS],
    oldest: [u16; MAX_LEVELS],
}

impl<const WORDS: usize> State<WORDS> {
    /// Returns an empty state. It is `const`, so that a state can be a `static` (for instance in
    /// `static_cell::ConstStaticCell`).
    pub const fn new() -> Self {
        Self { words: [0; WORDS], oldest: [0; MAX_LEVELS] }
    }
}

impl<const WORDS: usize> Default for State<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Borrowed state of any size, so that the code that uses it is compiled once.
#[derive(Debug)]
pub struct StateMut<'s> {
    pub(crate) words: &'s mut [u32],
    pub(crate) oldest: &'s mut [u16; MAX_LEVELS],
}

impl<'s, const WORDS: usize> From<&'s mut State<WORDS>> for StateMut<'s> {
    fn from(state: &'s mut State<WORDS>) -> Self {
        Self { words: &mut state.words, oldest: &mut state.oldest }
    }
}

/// Words that [`StateMut::new`] takes in addition to [`state_words`]: a counter of 16 bits per ring.
pub const COUNTER_WORDS: usize = MAX_LEVELS * size_of::<u16>() / size_of::<u32>();

impl<'s> StateMut<'s> {
    /// Makes a state in memory whose size is not known at compile time, for instance memory from a C program.
    ///
    /// `words` has [`COUNTER_WORDS`] words for the counters, then the number of words that [`state_words`] returns.
    /// Their contents do not matter.
    ///
    /// # Errors
    /// [`StateError::TooSmall`] if there is no room for the counters.
    pub fn new(words: &'s mut [u32]) -> Result<Self, StateError> {
        let too_small = StateError::TooSmall { need: COUNTER_WORDS, have: words.len() };
        let (counters, words) = words.split_first_chunk_mut::<COUNTER_WORDS>().ok_or(too_small)?;
        Ok(Self { words, oldest: bytemuck::cast_mut(counters) })
    }
}

/// Buffers of a running model, all of them parts of one state; see [`StateLayout`].
pub(crate) struct Buffers<'s, N: Numbers + ?Sized> {
    /// Rings of all levels.
    pub rings: &'s mut [N::Cell],
    /// Slot of each ring's oldest entry.
    pub oldest: &'s mut [u16; MAX_LEVELS],
    /// First cell of each ring's newest entry.
    pub newest_at: [usize; MAX_LEVELS],
    /// Input of the current layer, and the logits.
    pub scratch: N::Scratch<'s>,
    /// Output of the level just computed.
    pub hidden: &'s mut [N::Cell],
}

/// Returns the number of words of [`State`] that a blob needs, from its preamble, or 0 if the bytes are too short for
/// one.
///
/// The value is not checked, because a `const fn` cannot check a blob; [`crate::Model::new`] does.
pub const fn state_words(blob: &[u8]) -> usize {
    if blob.len() < PREAMBLE_BYTES {
        return 0;
    }
    u32::from_le_bytes([blob[12], blob[13], blob[14], blob[15]]) as usize
}

/// State on the heap, for hosts that learn the size of a model at run time.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug)]
pub struct HeapState {
    words: alloc::vec::Vec<u32>,
    oldest: [u16; MAX_LEVELS],
}

#[cfg(feature = "alloc")]
impl HeapState {
    /// Returns a state that fits `model`.
    pub fn new(model: &super::Model<'_>) -> Self {
        let words = model.state_words();
        Self { words: alloc::vec![0; words], oldest: [0; MAX_LEVELS] }
    }
}

#[cfg(feature = "alloc")]
impl<'s> From<&'s mut HeapState> for StateMut<'s> {
    fn from(state: &'s mut HeapState) -> Self {
        Self { words: &mut state.words, oldest: &mut state.oldest }
    }
}
