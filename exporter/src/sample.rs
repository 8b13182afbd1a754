//! Words from a model, through the runtime: what a chip would print.

use std::ops::ControlFlow;

use runtime::{End, Generator, HeapState, Model, PromptError, Sampling};

/// A drawn word, and whether it was cut short.
pub type Drawn = (String, End);

/// Draws `count` words that begin with `prompt`, of at most `max_len` characters, or until `each` has had enough.
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
