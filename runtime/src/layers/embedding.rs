use crate::vocab::Token;

/// Embedding: a row of `n_embd` values per token (`nn.Embedding`), in memory order `[vocab_size][n_embd]`.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingF32<'a> {
    weight: &'a [f32],
    n_embd: usize,
}

impl<'a> EmbeddingF32<'a> {
    /// Returns a view of `weight`, whose length is a multiple of `n_embd`.
    pub const fn new(weight: &'a [f32], n_embd: usize) -> Self {
        Self { weight, n_embd }
    }

    /// Returns the token's row. A token outside the vocabulary has the boundary's row, so that no token can fail.
    pub fn row(&self, token: Token) -> &'a [f32] {
        let start = usize::from(token) * self.n_embd;
        self.weight.get(start..start + self.n_embd).or_else(|| self.weight.get(..self.n_embd)).unwrap_or(&[])
    }
}
