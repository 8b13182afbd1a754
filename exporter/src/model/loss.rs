//! Loss of a network on examples.

use tch::{IndexOp, Kind, Tensor};

/// Mean loss, and the number of characters evaluated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Mean negative log-likelihood, in nats per character.
    pub nll: f64,
    /// Number of characters, the ends of words included.
    pub characters: usize,
}

/// Number of contexts that are evaluated together.
pub(super) const BATCH: i64 = 8192;

/// Computes the mean Kullback-Leibler divergence of the logits of `forward` from the logits of `reference`, in nats per
/// character, without gradients and in batches.
pub fn mean_divergence(
    reference: impl Fn(&Tensor) -> Tensor,
    forward: impl Fn(&Tensor) -> Tensor,
    contexts: &Tensor,
) -> f64 {
    let len = contexts.size()[0];
    let mut sum = 0.0;
    tch::no_grad(|| {
        for start in (0..len).step_by(BATCH as usize) {
            let batch = contexts.i(start..(start + BATCH).min(len));
            sum += divergence(&reference(&batch), &forward(&batch)).double_value(&[]);
        }
    });
    sum / len as f64
}

/// Computes the Kullback-Leibler divergence of logits from `reference`, summed over rows, in nats.
pub fn divergence(reference: &Tensor, logits: &Tensor) -> Tensor {
    let [wanted, found] = [reference, logits].map(|logits| logits.log_softmax(-1, Kind::Float));
    (wanted.exp() * (wanted - found)).sum(Kind::Double)
}

/// Computes the mean cross-entropy of the logits that `forward` returns, in nats per character, without gradients and
/// in batches.
pub fn mean_nll(forward: impl Fn(&Tensor) -> Tensor, contexts: &Tensor, targets: &Tensor) -> f64 {
    let len = targets.size()[0];
    let mut sum = 0.0;
    tch::no_grad(|| {
        for start in (0..len).step_by(BATCH as usize) {
            let end = (start + BATCH).min(len);
            sum += summed_nll(&forward(&contexts.i(start..end)), &targets.i(start..end));
        }
    });
    sum / len as f64
}

/// Computes the cross-entropy of logits (N, vocab_size) for their targets (N), summed over rows, in nats.
pub fn summed_nll(logits: &Tensor, targets: &Tensor) -> f64 {
    let log_probs = logits.log_softmax(-1, Kind::Float);
    -log_probs.gather(1, &targets.unsqueeze(1), false).sum(Kind::Double).double_value(&[])
}
