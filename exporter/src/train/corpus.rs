//! The words of a training in the form that the loop reads: splits, examples, tensors.

use std::rc::Rc;

use runtime::Vocab;
use tch::{Device, Tensor};

use crate::data::{DataError, Examples, Words};
use crate::model::architecture::Architecture;
use crate::model::loss::mean_nll;
use crate::model::tensors;
use crate::train::batch::Encoded;
use crate::train::error::TrainError;
use crate::train::nn::Sequential;
use crate::train::recipe::Form;

/// Words of a training.
pub struct Corpus {
    /// The characters, the boundary first.
    pub vocab: String,
    /// Number of characters, the boundary included.
    pub vocab_size: usize,
    /// Number of words of train, dev and test.
    pub words: [usize; 3],
    /// Examples of train, dev and test.
    pub examples: [Examples; 3],
    /// The train split.
    pub train: Rc<Part>,
    /// The dev split.
    pub dev: Part,
    /// Beginning of the train split, as long as the dev split.
    pub sample: Part,
}

impl Corpus {
    /// Splits the words and copies them to `device`.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the words cannot be used, [`TrainError::Dimensions`] if the network cannot be built.
    pub fn new(words: &Words, architecture: &Architecture, device: Device) -> Result<Self, TrainError> {
        let split = words.split()?;
        let text = words.vocab()?;
        let vocab = Vocab::new(&text)?;
        let block_size = architecture.config(vocab.len())?.block_size();
        let examples = |words: &[String]| Examples::new(LIST, words, vocab, block_size);
        let examples = [examples(&split.train)?, examples(&split.dev)?, examples(&split.test)?];
        let train = Part::new(&examples[0], &split.train, vocab, device)?;
        let dev = Part::new(&examples[1], &split.dev, vocab, device)?;
        let sample = train.first(examples[0].len().min(examples[1].len()), split.train.len().min(split.dev.len()));
        let words = [split.train.len(), split.dev.len(), split.test.len()];
        let vocab_size = vocab.len();
        Ok(Self { vocab_size, words, examples, train: Rc::new(train), dev, sample, vocab: text })
    }

    /// Returns the mean losses of a network on train, dev and test, in nats per character, computed over windows.
    pub fn losses(&self, network: &Sequential) -> [f64; 3] {
        let device = self.dev.contexts.device();
        self.examples.each_ref().map(|examples| {
            let (contexts, targets) = tensors::of_examples(examples, device);
            mean_nll(|x| network.forward(x, false), &contexts, &targets)
        })
    }
}

/// Name of the list in messages.
const LIST: &str = "the word list";

/// Part of the words, as windows and as whole words.
pub struct Part {
    /// Windows, `[N, block_size]`.
    pub contexts: Tensor,
    /// Next character of each window, `[N]`.
    pub targets: Tensor,
    /// Words as tokens.
    pub words: Encoded,
}

impl Part {
    fn new(examples: &Examples, words: &[String], vocab: Vocab<'_>, device: Device) -> Result<Self, DataError> {
        let (contexts, targets) = tensors::of_examples(examples, device);
        Ok(Self { contexts, targets, words: Encoded::new(LIST, words, vocab)? })
    }

    /// Returns the first examples and the first words.
    fn first(&self, examples: usize, words: usize) -> Self {
        let examples = i64::try_from(examples).expect("they fit the memory");
        let first = |tensor: &Tensor| tensor.narrow(0, 0, examples);
        Self { contexts: first(&self.contexts), targets: first(&self.targets), words: self.words.first(words) }
    }

    /// Returns the mean loss of a network in eval mode, in nats per character, computed in the form of the training.
    pub fn nll(&self, network: &Sequential, architecture: &Architecture, form: Form) -> f64 {
        match form {
            Form::Windows => mean_nll(|x| network.forward(x, false), &self.contexts, &self.targets),
            Form::Words => self.words.mean_nll(network, architecture, self.contexts.device()),
        }
    }
}
