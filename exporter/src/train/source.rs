//! The source of a training's batches.

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use crate::model::architecture::Architecture;
use crate::train::batch::Batch;
use crate::train::corpus::Part;
use crate::train::draws::Batches;
use crate::train::recipe::{Form, Recipe};

/// Source of batches.
pub enum Source {
    /// Draws examples.
    Windows {
        /// Draws indices of examples.
        batches: Batches,
        /// All examples.
        train: Rc<Part>,
    },
    /// Draws words in a new order every epoch. A batch has words with at least `batch_size` characters in total.
    Words {
        /// All words.
        train: Rc<Part>,
        /// Network that evaluates the batches.
        architecture: Architecture,
        /// Minimum number of characters per batch.
        batch_size: usize,
        /// Order of the words in this epoch.
        permutation: Vec<i64>,
        /// Index in `permutation` of the next word.
        next: usize,
        /// Device of the batches.
        device: Device,
    },
    /// Draws pieces of a text, from anywhere in it.
    Text {
        /// The text.
        train: Rc<Part>,
        /// Network that evaluates the batches.
        architecture: Architecture,
        /// Number of pieces per batch.
        pieces: usize,
        /// Characters of a piece.
        length: usize,
        /// Device of the batches.
        device: Device,
    },
}

/// Most characters of a piece of a text: several contexts, so that few characters see less than a whole context.
const PIECE: usize = 512;

impl Source {
    /// Returns a source of batches of the train split, in the form of the recipe.
    pub fn new(recipe: &Recipe, architecture: &Architecture, train: &Rc<Part>, device: Device) -> Self {
        let train = Rc::clone(train);
        if train.is_text {
            let length = PIECE.min(recipe.batch_size).min(train.words.text().len());
            let pieces = recipe.batch_size.div_ceil(length);
            return Self::Text { train, architecture: architecture.clone(), pieces, length, device };
        }
        match recipe.form {
            Form::Windows => {
                let examples = train.windows().targets.size()[0];
                let batch_size = i64::try_from(recipe.batch_size).unwrap_or(i64::MAX).min(examples);
                let batches = Batches::new(examples, batch_size, recipe.sampling, device);
                Self::Windows { batches, train }
            }
            Form::Words => {
                let (architecture, batch_size) = (architecture.clone(), recipe.batch_size);
                Self::Words { train, architecture, batch_size, permutation: Vec::new(), next: 0, device }
            }
        }
    }

    /// Draws the next batch.
    pub fn next_batch(&mut self) -> Batch {
        match self {
            Self::Windows { batches, train } => {
                let batch = batches.next_batch();
                let of_batch = |all: &Tensor| all.index_select(0, &batch);
                let windows = train.windows();
                Batch::Windows { contexts: of_batch(&windows.contexts), targets: of_batch(&windows.targets) }
            }
            Self::Words { train, architecture, batch_size, permutation, next, device } => {
                let words = &train.words;
                let take = |permutation: &[i64], from: usize| {
                    let mut characters = 0;
                    let mut to = from;
                    while to < permutation.len() && characters < *batch_size {
                        characters += words.characters(index(permutation[to]));
                        to += 1;
                    }
                    (to, characters >= *batch_size)
                };
                let (mut to, full) = take(permutation, *next);
                // Skips the last words of an epoch if they do not fill a batch. A list smaller than a batch is the
                // batch.
                if !full {
                    let count = i64::try_from(words.count()).expect("it fits the memory");
                    let drawn = Tensor::randperm(count, (Kind::Int64, Device::Cpu));
                    *permutation = Vec::try_from(drawn).expect("numbers");
                    *next = 0;
                    (to, _) = take(permutation, 0);
                }
                let chosen = permutation[*next..to].iter().map(|&word| index(word));
                let batch = words.batch(chosen, architecture, *device);
                *next = to;
                Batch::Words(batch)
            }
            Self::Text { train, architecture, pieces, length, device } => {
                let [count, places] =
                    [*pieces, train.words.text().len() - *length + 1].map(|n| i64::try_from(n).expect("it fits"));
                let starts = Tensor::randint(places, [count], (Kind::Int64, Device::Cpu));
                let starts: Vec<i64> = Vec::try_from(starts).expect("numbers");
                let starts: Vec<usize> = starts.into_iter().map(index).collect();
                Batch::Words(train.words.pieces(&starts, *length, architecture, *device))
            }
        }
    }
}

/// Converts an index that libtorch drew.
fn index(drawn: i64) -> usize {
    usize::try_from(drawn).expect("not below 0")
}
