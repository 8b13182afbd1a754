//! Training examples: contexts and their targets.

use runtime::{BOUNDARY, Token, Vocab};

use super::error::DataError;

/// Returns the tokens of a word or text, or [`DataError::UnknownCharacter`] in place of a character outside the
/// vocabulary; `name` is the list's name in messages.
pub fn tokens<'a>(
    name: &'a str,
    word: &'a str,
    vocab: Vocab<'a>,
) -> impl Iterator<Item = Result<Token, DataError>> + 'a {
    let unknown = move |error| DataError::unknown_character(name, word, &error, vocab.as_str());
    word.chars().map(move |character| vocab.encode(character).map_err(unknown))
}

/// Training examples: each character of each word, and the word's end, with the `block_size` characters before it. A
/// text has no end.
#[derive(Clone, Debug)]
pub struct Examples {
    /// The contexts `[len][block_size]`, padded in front with the boundary.
    pub contexts: Vec<Token>,
    /// The characters that follow the contexts, `[len]`.
    pub targets: Vec<Token>,
    /// Number of characters in a context.
    pub block_size: usize,
}

impl Examples {
    /// Makes the examples of a list, as the lecture's `build_dataset` does; `name` is the list's name in messages.
    ///
    /// # Errors
    /// [`DataError::UnknownCharacter`] for a word with a character outside the vocabulary.
    pub fn new(name: &str, words: &[String], vocab: Vocab<'_>, block_size: usize) -> Result<Self, DataError> {
        let mut examples = Self { contexts: Vec::new(), targets: Vec::new(), block_size };
        let mut context = vec![BOUNDARY; block_size];
        for word in words {
            context.fill(BOUNDARY);
            let end = (!vocab.is_of_text()).then_some(Ok(BOUNDARY));
            for token in tokens(name, word, vocab).chain(end) {
                let token = token?;
                examples.contexts.extend_from_slice(&context);
                examples.targets.push(token);
                context.rotate_left(1);
                context[block_size - 1] = token;
            }
        }
        Ok(examples)
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}
