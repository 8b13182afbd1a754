//! Prediction of the character after the next one, during training only.
//!
//! A network that also predicts later characters learns features that are less specific to the training words: Al-Rfou
//! et al., "Character-Level Language Modeling with Deeper Self-Attention" (2019), and Gloeckle et al., "Better & Faster
//! Large Language Models via Multi-token Prediction" (2024). The folded model does not contain this layer.

use tch::nn::Path;
use tch::{Reduction, Tensor};

use crate::train::nn::{Block, Dropout, Linear, Sequential};

/// Target that [`LookAhead::loss`] leaves out, PyTorch's `ignore_index`.
pub const NO_TARGET: i64 = -100;

/// Second output layer, which predicts the character after the next one. Its input has a dropout of its own, so that
/// the levels learn from two draws per step.
pub struct LookAhead {
    linear: Linear,
    dropout: Dropout,
}

impl LookAhead {
    /// Makes a layer for `network` under `path`, with PyTorch's first weights.
    pub fn new(path: Path<'_>, network: &Sequential, dropout: f64) -> Self {
        let [vocab_size, fan_in] = network.output.weight.size()[..] else { unreachable!("a matrix") };
        Self { linear: Linear::new(path, fan_in, vocab_size, true), dropout: Dropout { p: dropout } }
    }

    /// Returns the mean cross-entropy of `targets` (N), in nats per character. The input (N, C) is that of the output
    /// layer, before dropout. Leaves out the targets [`NO_TARGET`].
    pub fn loss(&self, input: &Tensor, targets: &Tensor) -> Tensor {
        let logits = self.linear.forward(&self.dropout.forward(input, true), true);
        logits.cross_entropy_loss(targets, None::<&Tensor>, Reduction::Mean, NO_TARGET, 0.0)
    }
}
