//! Draws words with the runtime, as a chip does.

use std::ops::ControlFlow;

use runtime::batch::Batch;
use runtime::{End, Generator, HeapState, Model, PromptError, Sampling};

/// A drawn word, and how it ended.
pub type Drawn = (String, End);

/// Draws up to `count` words of at most `max_len` characters that begin with `prompt`; stops early if `each` says so.
///
/// # Errors
/// [`PromptError`] if the model cannot read the prompt, or it is longer than `max_len`.
///
/// # Panics
/// Never: a heap state fits its model.
pub fn words(
    model: &Model<'_>,
    sampling: Sampling,
    seed: u64,
    prompt: &str,
    max_len: usize,
    count: usize,
    mut each: impl FnMut(Drawn) -> ControlFlow<()>,
) -> Result<(), PromptError> {
    let mut state = HeapState::new(model);
    let mut generator =
        Generator::new(model, &mut state, sampling, seed).expect("made for this model").max_len(max_len);
    for _ in 0..count {
        let mut characters = generator.start(prompt)?;
        let word: String = characters.by_ref().collect();
        if each((word, characters.end().unwrap_or(End::Limit))).is_break() {
            break;
        }
    }
    Ok(())
}

/// Draws the first `length` characters of a text that begins with `prompt`; stops early if `each` says so.
///
/// A model of words draws word after word, each followed by a line feed.
///
/// # Errors
/// [`PromptError`] if the model cannot read the prompt.
///
/// # Panics
/// Never: a heap state fits its model.
pub fn text(
    model: &Model<'_>,
    sampling: Sampling,
    seed: u64,
    prompt: &str,
    length: usize,
    mut each: impl FnMut(char) -> ControlFlow<()>,
) -> Result<(), PromptError> {
    let mut state = HeapState::new(model);
    let mut generator = Generator::new(model, &mut state, sampling, seed).expect("made for this model");
    let _ = generator.text(prompt)?.take(length).try_for_each(&mut each);
    Ok(())
}

/// Words drawn together, before `each` gets the first: enough that threads hardly ever wait for each other.
const WORDS_AT_ONCE: usize = 1 << 16;

/// Draws words as [`words`] does, many at once on all cores.
///
/// With the same seed, [`words`] draws different words: see [`runtime::batch`].
///
/// # Errors
/// [`PromptError`] if the model cannot read the prompt, or it is longer than `max_len`.
pub fn words_in_parallel(
    model: &Model<'_>,
    sampling: Sampling,
    seed: u64,
    prompt: &str,
    max_len: usize,
    count: usize,
    mut each: impl FnMut(Drawn) -> ControlFlow<()>,
) -> Result<(), PromptError> {
    let batch = Batch::new(model, sampling).max_len(max_len).prompt(prompt)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for start in (0..count).step_by(WORDS_AT_ONCE) {
        let end = count.min(start + WORDS_AT_ONCE);
        for word in batch.words(seed, start as u64..end as u64, threads) {
            if each((word.text, word.end)).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
