//! Computes the values of every node of the tree for a word, as the lecture looks at intermediate representations.
//!
//! The runtime computes the newest node of each level for every character. Each node of the tree over the last
//! `block_size` characters was the newest of its level at an earlier step. The nodes of a level that sees `n`
//! characters are `n` steps apart.

use runtime::{BOUNDARY, HeapState, Model, PromptError, Stream, Token};
use serde::Serialize;

use crate::data::alphabet::explain;

/// The tree over a context.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tree {
    /// The word.
    pub word: String,
    /// Number of characters of the word that the model has read.
    pub position: usize,
    /// The context, oldest character first; the boundary's sign before the beginning of the word.
    pub characters: Vec<char>,
    /// The levels, from the characters up.
    pub levels: Vec<TreeLevel>,
    /// True if the output layer reads all levels.
    pub skip: bool,
    /// All tokens that can come next, the most probable first.
    pub next: Vec<Next>,
    /// Next character of the word, `None` at its end.
    pub actual: Option<char>,
}

/// The nodes of a level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreeLevel {
    /// Number of nodes or characters that become one node.
    pub fuse: usize,
    /// Number of characters that a node sees.
    pub receptive_field: usize,
    /// The nodes, oldest first.
    pub nodes: Vec<Node>,
}

/// One node of the tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Characters that the node sees.
    pub characters: String,
    /// Outputs of the node.
    pub values: Vec<f32>,
}

/// A character that may come next.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Next {
    /// The character, or `None` for the end of the word.
    pub character: Option<char>,
    /// Probability, from 0 to 1.
    pub probability: f64,
}

/// Reasons why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum ActivationsError {
    /// The model cannot read the word.
    #[error("word {word:?}: {reason}")]
    Word {
        /// The word.
        word: String,
        /// The reason.
        reason: String,
    },
    /// The word has no such position.
    #[error("{word:?} has {characters} characters: --position must be 0 to {characters}")]
    Position {
        /// The word.
        word: String,
        /// Number of characters in the word.
        characters: usize,
    },
}

/// Computes the tree after the first `position` characters of a word, or after the whole word for `None`.
///
/// # Errors
/// [`ActivationsError`] has the reason.
///
/// # Panics
/// Never: a heap state fits its model.
pub fn tree(model: &Model<'_>, word: &str, position: Option<usize>) -> Result<Tree, ActivationsError> {
    let (vocab, config) = (model.vocab(), model.config());
    let refused = |error: PromptError| ActivationsError::Word {
        word: word.to_owned(),
        reason: explain(&error, word, vocab.as_str()),
    };
    let tokens: Vec<Token> = word.chars().map(|c| vocab.encode(c)).collect::<Result<_, _>>().map_err(refused)?;
    let characters = tokens.len();
    let position = position.unwrap_or(characters);
    if position > characters {
        return Err(ActivationsError::Position { word: word.to_owned(), characters });
    }

    let mut state = HeapState::new(model);
    let mut stream = Stream::new(model, &mut state).expect("made for this model");
    // Another boundary changes nothing: it shows the outputs of the nodes before the word begins.
    let steps: Vec<Vec<Vec<f32>>> = [BOUNDARY]
        .iter()
        .chain(&tokens[..position])
        .map(|&token| {
            let mut levels = Vec::new();
            stream.push_observed(token, &mut |_, values| {
                levels.push((0..values.len()).filter_map(|index| values.get(index)).collect());
            });
            levels
        })
        .collect();

    let block_size = config.block_size();
    // Returns the character that is `distance` before the next one, from 1.
    let sign = vocab.as_str().chars().next().unwrap_or('.');
    let before =
        |distance: usize| position.checked_sub(distance).map_or(sign, |at| word.chars().nth(at).unwrap_or(sign));
    let mut receptive_field = 1;
    let levels = config.levels().iter().enumerate().map(|(level, shape)| {
        receptive_field *= usize::from(shape.fuse);
        let nodes = (0..block_size / receptive_field).rev().map(|node| {
            let end = node * receptive_field;
            Node {
                characters: (end + 1..=end + receptive_field).rev().map(before).collect(),
                values: steps[position.saturating_sub(end)][level].clone(),
            }
        });
        TreeLevel { fuse: shape.fuse.into(), receptive_field, nodes: nodes.collect() }
    });
    let levels = levels.collect();
    let mut next: Vec<Next> = (0..vocab.len())
        .filter_map(|token| Token::try_from(token).ok())
        .map(|token| Next {
            character: vocab.decode(token),
            probability: (-f64::from(stream.nll_micronats(token)) / 1e6).exp(),
        })
        .collect();
    next.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Ok(Tree {
        word: word.to_owned(),
        position,
        characters: (1..=block_size).rev().map(before).collect(),
        levels,
        skip: config.skip(),
        next,
        actual: word.chars().nth(position),
    })
}
