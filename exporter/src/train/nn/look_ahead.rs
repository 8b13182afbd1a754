//! Prediction of the character after the next one, during training only.
//!
//! A network that also predicts later characters learns features that are less specific to the training words: Al-Rfou
//! et al., "Character-Level Language Modeling with Deeper Self-Attention" (2019), and Gloeckle et al., "Better & Faster
//! Large Language Models via Multi-token Prediction" (2024). The folded model does not contain this layer.

use tch::nn::Path;
use tch::{Reduction, Tensor};

use crate::train::nn::{Block, Linear, Sequential};

/// Target that [`LookAhead::loss`] leaves out, PyTorch's `ignore_index`.
pub const NO_TARGET: i64 = -100;

/// Second output layer, which predicts the character after the next one.
pub struct LookAhead(Linear);

impl LookAhead {
    /// Makes a layer for `network` under `path`, with PyTorch's first weights.
    pub fn new(path: Path<'_>, network: &Sequential) -> Self {
        let [vocab_size, fan_in] = network.output.weight.size()[..] else { unreachable!("a matrix") };
        Self(Linear::new(path, fan_in, vocab_size, true))
    }

    /// Returns the mean cross-entropy of `targets` (N), in nats per character. The input (N, C) is that of the output
    /// layer. Leaves out the targets [`NO_TARGET`].
    pub fn loss(&self, input: &Tensor, targets: &Tensor) -> Tensor {
        let logits = self.0.forward(input, true);
        logits.cross_entropy_loss(targets, None::<&Tensor>, Reduction::Mean, NO_TARGET, 0.0)
    }
}
