//! Contexts and targets of words.

use runtime::{BOUNDARY, Token, Vocab};

use super::error::DataError;

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
            let unknown = |error| DataError::unknown_character(name, word, &error, vocab.as_str());
            let tokens = word.chars().map(|character| vocab.encode(character).map_err(unknown));
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
