//! The input of a training step: windows of characters, or whole words.
//!
//! A window of 8 characters is a tree of 4 + 2 + 1 nodes, and the next window shares most of them. Over a whole word,
//! the tree is a causal dilated convolution (van den Oord et al., "WaveNet", 2016): each level has one node per
//! character, which reads its inputs at distances 0, d, 2d, ..., where d is the product of the fuses of the levels
//! below. Every node is computed once:
//!
//! ```text
//! level 2      . - - - a . . . b        b reads a and itself, d = 2: 3 nodes per character instead of 7
//! level 1      . - a - b
//! characters   . e m m a
//! ```
//!
//! No padding is needed: all characters before the word are boundaries, and the first node of the word has also seen
//! only boundaries, so it replaces every input from before the word.
//!
//! A text is cut into pieces at random places. The characters before a piece are boundaries too: the network learns to
//! begin in the middle.

use runtime::{BOUNDARY, Token, Vocab};
use tch::{Device, Tensor};

use crate::data::{DataError, tokens};
use crate::model::architecture::Architecture;
use crate::model::loss::summed_nll;
use crate::train::nn::look_ahead::NO_TARGET;
use crate::train::nn::{Block, LevelBlock, Sequential, Statistics};

/// Examples of one step.
pub enum Batch {
    /// One window per example.
    Windows {
        /// `[B, block_size]`.
        contexts: Tensor,
        /// `[B]`.
        targets: Tensor,
    },
    /// Whole words, or pieces of a text.
    Words(WordBatch),
}

impl Batch {
    /// Returns the next character of each example, `[B]`.
    pub fn targets(&self) -> &Tensor {
        match self {
            Self::Windows { targets, .. } => targets,
            Self::Words(words) => &words.targets,
        }
    }

    /// Returns the input of the network's output layer, (B, C). Calls `watch` with the output of each level's
    /// activation, from the characters up.
    ///
    /// # Panics
    /// See [`WordBatch::levels`].
    pub fn levels(&self, network: &Sequential, train: bool, watch: &mut dyn FnMut(&Tensor)) -> Tensor {
        match self {
            Self::Windows { contexts, .. } => network.forward_levels(contexts, train, watch),
            Self::Words(words) => words.levels(network, train, watch),
        }
    }

    /// Returns the shapes of the tensors to which [`Self::levels`] applies dropout.
    pub fn dropout_shapes(&self, network: &Sequential) -> Vec<Vec<i64>> {
        let n = self.targets().size()[0];
        let mut positions: i64 = network.levels.iter().map(|level| level.flatten.n).product();
        let shape = |(level, &channels): (&LevelBlock, &i64)| {
            positions /= level.flatten.n;
            match self {
                Self::Windows { .. } if positions > 1 => vec![n, positions, channels],
                _ => vec![n, channels],
            }
        };
        network.levels.iter().zip(&network.widths).map(shape).collect()
    }
}

/// Whole words or pieces of a text, one after the other: N characters in total, the end of each word included.
pub struct WordBatch {
    /// Tokens that each node of level 0 joins, `[N, fuse]`.
    pub tokens: Tensor,
    /// Indices of the nodes that each node joins, `[N * fuse]`, for every level above level 0.
    pub inputs: Vec<Tensor>,
    /// Next character of each node, `[N]`.
    pub targets: Tensor,
    /// Character after the next one of each node, `[N]`; [`NO_TARGET`] where the sequence ends before it.
    pub later_targets: Tensor,
}

impl WordBatch {
    /// Makes a batch of sequences. With `ends`, the boundary follows each sequence, as it follows a word.
    pub fn new<'a>(
        sequences: impl Iterator<Item = &'a [Token]>,
        ends: bool,
        architecture: &Architecture,
        device: Device,
    ) -> Self {
        let levels = &architecture.levels;
        let mut tokens: Vec<i64> = Vec::new();
        let mut inputs: Vec<Vec<i64>> = vec![Vec::new(); levels.len() - 1];
        let mut targets: Vec<i64> = Vec::new();
        let mut later_targets: Vec<i64> = Vec::new();
        for sequence in sequences {
            let first = targets.len();
            let length = sequence.len() + usize::from(ends);
            let character = |at: usize| i64::from(sequence.get(at).copied().unwrap_or(BOUNDARY));
            for at in 0..length {
                // This node has read the characters before `at`: the newest is at `at - 1`.
                for back in (0..usize::from(levels[0].fuse)).rev() {
                    tokens.push(i64::from(at.checked_sub(back + 1).map_or(BOUNDARY, |at| sequence[at])));
                }
                let mut distance = usize::from(levels[0].fuse);
                for (inputs, level) in inputs.iter_mut().zip(&levels[1..]) {
                    for back in (0..usize::from(level.fuse)).rev() {
                        let node = first + at.saturating_sub(back * distance);
                        inputs.push(i64::try_from(node).expect("it fits the memory"));
                    }
                    distance *= usize::from(level.fuse);
                }
                targets.push(character(at));
                later_targets.push(if at + 1 < length { character(at + 1) } else { NO_TARGET });
            }
        }
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        Self {
            tokens: tensor(&tokens).view([-1, i64::from(levels[0].fuse)]),
            inputs: inputs.iter().map(|inputs| tensor(inputs)).collect(),
            targets: tensor(&targets),
            later_targets: tensor(&later_targets),
        }
    }

    /// Returns the network's logits (N, vocab_size) over whole words in eval mode, which equal those of the windows.
    ///
    /// # Panics
    /// See [`Self::levels`].
    pub fn logits(&self, network: &Sequential) -> Tensor {
        network.output.forward(&self.levels(network, false, &mut |_| {}), false)
    }

    /// Returns the input of the network's output layer (N, C) over whole words. Computes every node once. Calls `watch`
    /// with the output of each level's activation, from the characters up.
    ///
    /// During training, BatchNorm sees every node once, not once per window that contains the node.
    ///
    /// # Panics
    /// If BatchNorm keeps statistics per position: whole words have no positions within a window.
    pub fn levels(&self, network: &Sequential, train: bool, watch: &mut dyn FnMut(&Tensor)) -> Tensor {
        let n = self.targets.size()[0];
        let mut x = network.embedding.forward(&self.tokens, train).view([n, -1]);
        let mut levels = Vec::new();
        for (index, level) in network.levels.iter().enumerate() {
            assert_eq!(level.batch_norm.statistics, Statistics::BatchAndPositions);
            if index > 0 {
                x = x.index_select(0, &self.inputs[index - 1]).view([n, -1]);
            }
            x = level.forward(&x, train, watch);
            levels.push(x.shallow_clone());
        }
        network.output_input(&levels)
    }
}

/// Words as tokens.
pub struct Encoded(Vec<Vec<Token>>);

impl Encoded {
    /// Encodes words.
    ///
    /// # Errors
    /// [`DataError::UnknownCharacter`] if the vocabulary lacks a character of a word; the message calls the list
    /// `name`.
    pub fn new(name: &str, words: &[String], vocab: Vocab<'_>) -> Result<Self, DataError> {
        let words = words.iter().map(|word| tokens(name, word, vocab).collect());
        Ok(Self(words.collect::<Result<_, _>>()?))
    }

    /// Returns a batch of the words with these indices.
    pub fn batch(&self, words: impl Iterator<Item = usize>, architecture: &Architecture, device: Device) -> WordBatch {
        WordBatch::new(words.map(|word| &self.0[word][..]), true, architecture, device)
    }

    /// Returns a batch of the pieces of a text that begin at `starts`.
    ///
    /// # Panics
    /// If this is not a text, or a piece is not inside it.
    pub fn pieces(&self, starts: &[usize], length: usize, architecture: &Architecture, device: Device) -> WordBatch {
        let text = self.text();
        WordBatch::new(starts.iter().map(|&start| &text[start..start + length]), false, architecture, device)
    }

    /// Returns the tokens of a text, which is the only word.
    ///
    /// # Panics
    /// If there is no word.
    pub fn text(&self) -> &[Token] {
        &self.0[0]
    }

    /// Returns a copy of the first `words` words.
    pub fn first(&self, words: usize) -> Self {
        Self(self.0[..words].to_vec())
    }

    /// Returns a copy of the first characters of a text.
    pub fn beginning(&self, characters: usize) -> Self {
        Self(vec![self.text()[..characters].to_vec()])
    }

    /// Returns the number of words.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the number of characters of a word, its end included.
    pub fn characters(&self, word: usize) -> usize {
        self.0[word].len() + 1
    }

    /// Returns the mean cross-entropy over all words in eval mode, in nats per character.
    pub fn mean_nll(&self, network: &Sequential, architecture: &Architecture, device: Device) -> f64 {
        const BATCH: usize = 1024;
        let (mut sum, mut characters) = (0.0, 0);
        tch::no_grad(|| {
            for start in (0..self.0.len()).step_by(BATCH) {
                let batch = self.batch(start..(start + BATCH).min(self.0.len()), architecture, device);
                sum += summed_nll(&batch.logits(network), &batch.targets);
                characters += batch.targets.numel();
            }
        });
        sum / characters as f64
    }
}
