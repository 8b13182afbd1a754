//! Evaluates models: their loss, and the distance between models.

pub mod compare;
pub mod golden;
pub mod lost;
pub mod settle;
pub mod validate;

use runtime::{HeapState, Model, Stream};

use crate::data::{DataError, tokens};
use crate::model::loss::Loss;

/// Computes the mean loss of a blob over words with the runtime, character by character.
///
/// # Errors
/// [`DataError::UnknownCharacter`] for a word that the model cannot read; `name` is the list's name in messages.
///
/// # Panics
/// Never: a heap state fits its model.
pub fn runtime_loss(model: &Model<'_>, name: &str, words: &[String]) -> Result<Loss, DataError> {
    let mut state = HeapState::new(model);
    let mut stream = Stream::new(model, &mut state).expect("made for this model");
    let (mut micronats, mut characters) = (0, 0);
    for word in words {
        if model.vocab().is_of_text() {
            // A text has no end, so its loss has no final boundary.
            stream.reset();
            for token in tokens(name, word, model.vocab()) {
                let token = token?;
                micronats += u64::from(stream.nll_micronats(token));
                stream.push(token);
                characters += 1;
            }
            continue;
        }
        let unknown = |error| DataError::unknown_character(name, word, &error, model.vocab().as_str());
        let score = stream.score(word).map_err(unknown)?;
        micronats += score.nll_micronats;
        characters += score.characters;
    }
    Ok(Loss { nll: micronats as f64 / 1e6 / characters.max(1) as f64, characters })
}
