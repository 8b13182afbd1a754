//! The words or the text of a training in the form that the loop reads: splits, examples, tensors.

use std::rc::Rc;

use runtime::Vocab;
use tch::{Device, Tensor};

use crate::data::{DataError, Examples, Words, text};
use crate::model::architecture::Architecture;
use crate::model::file::FoldedModel;
use crate::model::gptq::{calibration_contexts, evenly_spread};
use crate::model::loss::mean_nll;
use crate::model::tensors;
use crate::model::torch_model::TorchModel;
use crate::train::batch::Encoded;
use crate::train::error::TrainError;
use crate::train::nn::Sequential;
use crate::train::recipe::Form;

/// Words or text of a training.
pub struct Corpus {
    /// The characters, the boundary first.
    pub vocab: String,
    /// Number of characters, the boundary included.
    pub vocab_size: usize,
    /// Context length of the network.
    pub block_size: usize,
    /// Number of words of train, dev and test; `None` for a text.
    pub words: Option<[usize; 3]>,
    /// The train split.
    pub train: Rc<Part>,
    /// The dev split.
    pub dev: Part,
    /// The test split.
    pub test: Part,
    /// Beginning of the train split, as long as the dev split.
    pub sample: Part,
    /// Examples of passages of the train split of a text; `None` for a list.
    passages: Option<Examples>,
}

impl Corpus {
    /// Splits the words or text and copies them to `device`.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the words cannot be used, [`TrainError::Dimensions`] if the network cannot be built.
    pub fn new(words: &Words, architecture: &Architecture, device: Device) -> Result<Self, TrainError> {
        let split = words.split()?;
        let text = words.vocab()?;
        let vocab = Vocab::new(&text)?;
        let block_size = architecture.config(vocab.len())?.block_size();
        let part = |words: &[String]| Part::new(words, vocab, block_size, device);
        let [train, dev, test] = [part(&split.train)?, part(&split.dev)?, part(&split.test)?];
        let of_passages = || Examples::new(LIST, &text::passages(&split.train[0]), vocab, block_size);
        let passages = words.is_text().then(of_passages).transpose()?;
        let words = (!words.is_text()).then_some([split.train.len(), split.dev.len(), split.test.len()]);
        let vocab_size = vocab.len();
        let sample = train.first(&dev);
        Ok(Self { vocab_size, block_size, words, train: Rc::new(train), dev, test, sample, passages, vocab: text })
    }

    /// Returns train, dev and test.
    fn parts(&self) -> [&Part; 3] {
        [&self.train, &self.dev, &self.test]
    }

    /// Returns the number of characters of train, dev and test, the ends of words included.
    pub fn characters(&self) -> [usize; 3] {
        self.parts().map(Part::characters)
    }

    /// Returns the mean losses of a network on train, dev and test, in nats per character, computed over windows.
    ///
    /// # Panics
    /// If this is a text.
    pub fn losses(&self, network: &Sequential) -> [f64; 3] {
        self.parts().map(|part| {
            let windows = part.windows();
            mean_nll(|x| network.forward(x, false), &windows.contexts, &windows.targets)
        })
    }

    /// Returns the mean losses of a folded model on train, dev and test, in nats per character.
    pub fn losses_of(&self, model: &FoldedModel, device: Device) -> [f64; 3] {
        let torch = TorchModel::new(model, device);
        self.parts().map(|part| part.nll_of(&torch))
    }

    /// Returns contexts of the train split on which an unbounded activation is scaled, `[N, block_size]`.
    pub fn calibration(&self) -> Tensor {
        match &self.passages {
            Some(examples) => calibration_contexts(examples),
            None => evenly_spread(&self.train.windows().contexts.to_device(Device::Cpu)),
        }
    }
}

/// Name of the list in messages.
const LIST: &str = "the word list";

/// Part of the words or text.
pub struct Part {
    /// Examples on the device; `None` for a text, whose windows would fill the memory.
    windows: Option<Windows>,
    /// Words as tokens.
    pub words: Encoded,
    /// True if the only word is a text, which has no end.
    pub is_text: bool,
}

/// Examples as windows.
pub struct Windows {
    /// Windows, `[N, block_size]`.
    pub contexts: Tensor,
    /// Next character of each window, `[N]`.
    pub targets: Tensor,
}

impl Part {
    fn new(words: &[String], vocab: Vocab<'_>, block_size: usize, device: Device) -> Result<Self, DataError> {
        let is_text = vocab.is_of_text();
        let examples = (!is_text).then(|| Examples::new(LIST, words, vocab, block_size)).transpose()?;
        let windows = examples.map(|examples| {
            let (contexts, targets) = tensors::of_examples(&examples, device);
            Windows { contexts, targets }
        });
        Ok(Self { windows, words: Encoded::new(LIST, words, vocab)?, is_text })
    }

    /// Returns the examples as windows.
    ///
    /// # Panics
    /// If this is a text.
    pub fn windows(&self) -> &Windows {
        self.windows.as_ref().expect("the training of a text reads no windows")
    }

    /// Returns the number of characters, the ends of words included.
    fn characters(&self) -> usize {
        match &self.windows {
            Some(windows) => windows.targets.numel(),
            None => self.words.text().len(),
        }
    }

    /// Returns the beginning of this part, as many examples and words as `other` has.
    fn first(&self, other: &Self) -> Self {
        let windows = self.windows.as_ref().map(|windows| {
            let examples = i64::try_from(self.characters().min(other.characters())).expect("they fit the memory");
            let first = |tensor: &Tensor| tensor.narrow(0, 0, examples);
            Windows { contexts: first(&windows.contexts), targets: first(&windows.targets) }
        });
        let words = match self.is_text {
            true => self.words.beginning(self.characters().min(other.characters())),
            false => self.words.first(self.words.count().min(other.words.count())),
        };
        Self { windows, words, is_text: self.is_text }
    }

    /// Returns the mean loss of a network in eval mode, in nats per character, computed in the form of the training.
    ///
    /// # Panics
    /// If this is a text: [`Part::nll_of`] computes its loss.
    pub fn nll(&self, network: &Sequential, architecture: &Architecture, form: Form) -> f64 {
        let windows = self.windows();
        match form {
            Form::Windows => mean_nll(|x| network.forward(x, false), &windows.contexts, &windows.targets),
            Form::Words => self.words.mean_nll(network, architecture, windows.contexts.device()),
        }
    }

    /// Returns the mean loss of a folded model, in nats per character: over windows, or over the whole text.
    pub fn nll_of(&self, torch: &TorchModel) -> f64 {
        match &self.windows {
            Some(windows) => mean_nll(|x| torch.forward(x), &windows.contexts, &windows.targets),
            None => torch.loss_of_text(self.words.text()).nll,
        }
    }
}
