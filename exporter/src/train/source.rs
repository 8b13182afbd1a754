//! Where the batches of a training come from.

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use crate::model::architecture::Architecture;
use crate::train::batch::Batch;
use crate::train::corpus::Part;
use crate::train::draws::Batches;
use crate::train::recipe::{Form, Recipe};

/// Where batches come from.
pub enum Source {
    /// Examples by their indices.
    Windows {
        /// The indices.
        batches: Batches,
        /// All examples.
        train: Rc<Part>,
    },
    /// Words in a new order every epoch, as many as have about `batch_size` characters.
    Words {
        /// All words.
        train: Rc<Part>,
        /// The network they are for.
        architecture: Architecture,
        /// Characters of a batch, at least.
        batch_size: usize,
        /// The order of this epoch.
        permutation: Vec<i64>,
        /// Progress.
        next: usize,
        /// Where tensors go.
        device: Device,
    },
}

impl Source {
    /// Batches of the train split in the form of the recipe.
    pub fn new(recipe: &Recipe, architecture: &Architecture, train: &Rc<Part>, device: Device) -> Self {
        let train = Rc::clone(train);
        match recipe.form {
            Form::Windows => {
                let examples = train.targets.size()[0];
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

    /// The next batch.
    pub fn next_batch(&mut self) -> Batch {
        match self {
            Self::Windows { batches, train } => {
                let batch = batches.next_batch();
                let of_batch = |all: &Tensor| all.index_select(0, &batch);
                Batch::Windows { contexts: of_batch(&train.contexts), targets: of_batch(&train.targets) }
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
                // What is left of an epoch and fills no batch is skipped; a list smaller than a batch is taken whole.
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
        }
    }
}

/// The number of a word as libtorch drew it.
fn index(drawn: i64) -> usize {
    usize::try_from(drawn).expect("not below 0")
}
