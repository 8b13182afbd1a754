//! Loss of a model in integers against its f32 model, as files keep it. Its computation is in [`loss`](super::loss), so
//! that the fuzzers can read models without libtorch.

use serde::{Deserialize, Serialize};

/// Loss of integers against the f32 model, in nats per character.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// Mean Kullback-Leibler divergence of the integers' distributions from those of f32.
    pub kl: f64,
    /// Loss of the integers minus that of f32.
    pub delta: f64,
}
