//! The loss of a network on examples.

use tch::{IndexOp, Kind, Tensor};

/// A loss, and the number of characters that it is the mean of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Mean negative log-likelihood, nats per character.
    pub nll: f64,
    /// Characters, the ends of words included.
    pub characters: usize,
}

/// Mean cross-entropy of the logits that `forward` returns, without gradients and in batches, in nats per character.
pub fn mean_nll(forward: impl Fn(&Tensor) -> Tensor, contexts: &Tensor, targets: &Tensor) -> f64 {
    const BATCH: i64 = 8192;
    let len = targets.size()[0];
    let mut sum = 0.0;
    tch::no_grad(|| {
        for start in (0..len).step_by(BATCH as usize) {
            let end = (start + BATCH).min(len);
            let logits = forward(&contexts.i(start..end));
            let log_probs = logits.log_softmax(-1, Kind::Float);
            let picked = log_probs.gather(1, &targets.i(start..end).unsqueeze(1), false);
            sum -= picked.sum(Kind::Double).double_value(&[]);
        }
    });
    sum / len as f64
}
