//! The folded network in libtorch.

use runtime::{Activation, BOUNDARY, Config, Token};
use tch::{Device, Kind, Tensor};

use crate::data::Examples;
use crate::model::arrays::{from_matrix, from_vector};
use crate::model::file::{FoldedLinear, FoldedModel};
use crate::model::forward::forward_folded;
use crate::model::loss::{Loss, mean_nll, summed_nll};
use crate::model::tensors::{self, output_input};

/// The folded network as tensors, evaluated over whole windows as in PyTorch.
pub struct TorchModel {
    embedding: Tensor,
    levels: Vec<(i64, Tensor, Tensor)>,
    activation: Activation,
    skip: bool,
    output: (Tensor, Tensor),
}

impl TorchModel {
    /// Copies the weights to `device`.
    pub fn new(model: &FoldedModel, device: Device) -> Self {
        let tensors = |linear: &FoldedLinear| {
            (from_matrix(&linear.weight).to_device(device), from_vector(&linear.bias).to_device(device))
        };
        let levels = model.architecture.levels.iter().zip(&model.levels).map(|(level, linear)| {
            let (weight, bias) = tensors(linear);
            (i64::from(level.fuse), weight, bias)
        });
        Self {
            embedding: from_matrix(&model.embedding).to_device(device),
            levels: levels.collect(),
            activation: model.architecture.activation,
            skip: model.architecture.skip,
            output: tensors(&model.output),
        }
    }

    /// Makes a network with random weights, to measure its speed.
    ///
    /// # Panics
    /// Never: a `Config` limits the dimensions.
    pub fn untrained(config: &Config, device: Device) -> Self {
        let random = |shape: &[usize]| {
            let shape: Vec<i64> = shape.iter().map(|&n| i64::try_from(n).expect("a dimension")).collect();
            let fan_in = *shape.last().expect("at least one dimension") as f64;
            (Tensor::rand(&shape, (Kind::Float, device)) * 2.0 - 1.0) / fan_in.sqrt()
        };
        let linear = |fan_in: usize, fan_out: usize| (random(&[fan_out, fan_in]), random(&[fan_out]));
        let levels = config.shapes().map(|shape| {
            let (weight, bias) = linear(shape.fan_in, shape.fan_out);
            (i64::try_from(shape.fuse).expect("at most 64"), weight, bias)
        });
        Self {
            embedding: random(&[config.vocab_size(), config.n_embd()]),
            levels: levels.collect(),
            activation: config.activation(),
            skip: config.skip(),
            output: linear(config.output_fan_in(), config.vocab_size()),
        }
    }

    /// Computes the logits `[B, vocab_size]` of contexts `[B, block_size]`.
    pub fn forward(&self, contexts: &Tensor) -> Tensor {
        let mut x = Tensor::embedding(&self.embedding, contexts, -1, false, false);
        let mut levels = Vec::new();
        for (fuse, weight, bias) in &self.levels {
            let (b, t, c) = x.size3().expect("(B, T, C)");
            let rows = x.view([b, t / fuse, c * fuse]).linear(weight, Some(bias));
            x = forward_folded(self.activation, &rows);
            levels.push(x.shallow_clone());
        }
        output_input(&levels, self.skip).linear(&self.output.0, Some(&self.output.1))
    }

    /// Computes the logits `[T, vocab_size]` after each of the last T characters of a sequence, `[T + block_size - 1]`
    /// of tokens. Computes every node once: see [`crate::train::batch`].
    fn forward_sequence(&self, tokens: &Tensor) -> Tensor {
        let mut x = Tensor::embedding(&self.embedding, tokens, -1, false, false);
        let mut levels = Vec::new();
        let mut distance = 1;
        for (fuse, weight, bias) in &self.levels {
            // The inputs of a node are `distance` apart. The first nodes lack inputs and are left out.
            let nodes = x.size()[0] - (fuse - 1) * distance;
            let inputs: Vec<Tensor> = (0..*fuse).map(|input| x.narrow(0, input * distance, nodes)).collect();
            x = forward_folded(self.activation, &Tensor::cat(&inputs, 1).linear(weight, Some(bias)));
            levels.push(x.shallow_clone());
            distance *= fuse;
        }
        let nodes = x.size()[0];
        let newest: Vec<Tensor> = levels.iter().map(|x| x.narrow(0, x.size()[0] - nodes, nodes)).collect();
        output_input(&newest, self.skip).linear(&self.output.0, Some(&self.output.1))
    }

    /// Computes the logits `[T, vocab_size]` and the targets `[T]` of a text, from its first character on, in pieces of
    /// T characters.
    fn pieces_of_text(&self, text: &[Token], mut each: impl FnMut(&Tensor, &Tensor)) {
        // Enough for libtorch to be fast, few enough for the memory.
        const PIECE: usize = 16_384;
        let block_size: i64 = self.levels.iter().map(|(fuse, ..)| fuse).product();
        let block_size = usize::try_from(block_size).expect("at most 1024");
        let device = self.embedding.device();
        // The context of the first character is boundaries.
        let padded: Vec<i64> =
            std::iter::repeat_n(BOUNDARY, block_size).chain(text.iter().copied()).map(i64::from).collect();
        let tensor = |tokens: &[i64]| Tensor::from_slice(tokens).to_device(device);
        tch::no_grad(|| {
            for start in (0..text.len()).step_by(PIECE) {
                let end = text.len().min(start + PIECE);
                let logits = self.forward_sequence(&tensor(&padded[start..end + block_size - 1]));
                each(&logits, &tensor(&padded[start + block_size..end + block_size]));
            }
        });
    }

    /// Computes the mean loss of a text, from its first character on.
    pub fn loss_of_text(&self, text: &[Token]) -> Loss {
        let mut sum = 0.0;
        self.pieces_of_text(text, |logits, targets| sum += summed_nll(logits, targets));
        Loss { nll: sum / text.len() as f64, characters: text.len() }
    }

    /// Computes the logits `[T, vocab_size]` for every character of a text, as f64 on the CPU.
    pub fn logits_of_text(&self, text: &[Token]) -> Tensor {
        let mut pieces = Vec::new();
        self.pieces_of_text(text, |logits, _| pieces.push(logits.to_kind(Kind::Double).to_device(Device::Cpu)));
        Tensor::cat(&pieces, 0)
    }

    /// Draws words from the model, always the same words; returns the context of each character, `[N, block_size]`, on
    /// the CPU.
    ///
    /// The contexts serve for calibration without a word list. A word of more than `longest` characters is cut off.
    pub fn draw_contexts(&self, words: i64, longest: usize) -> Tensor {
        tch::manual_seed(42);
        let device = self.embedding.device();
        let block_size: i64 = self.levels.iter().map(|(fuse, ..)| fuse).product();
        let boundary = i64::from(BOUNDARY);
        let mut contexts = Tensor::full([words, block_size], boundary, (Kind::Int64, device));
        let mut drawn = Vec::new();
        while drawn.len() <= longest && contexts.size()[0] > 0 {
            drawn.push(contexts.shallow_clone());
            let next = tch::no_grad(|| self.forward(&contexts)).softmax(-1, Kind::Float).multinomial(1, true);
            let unfinished = next.ne(boundary).reshape([-1]).nonzero().reshape([-1]);
            contexts = Tensor::cat(&[contexts.slice(1, 1, None, 1), next], 1).index_select(0, &unfinished);
        }
        Tensor::cat(&drawn, 0).to_device(Device::Cpu)
    }

    /// Computes the mean loss over examples.
    pub fn loss(&self, examples: &Examples) -> Loss {
        let (contexts, targets) = tensors::of_examples(examples, self.embedding.device());
        Loss { nll: mean_nll(|x| self.forward(x), &contexts, &targets), characters: examples.len() }
    }
}
