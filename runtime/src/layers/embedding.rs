use crate::vocab::Token;

/// A row of `n_embd` values per token (`nn.Embedding`); memory order `[vocab_size][n_embd]`.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingF32<'a> {
    weight: &'a [f32],
    n_embd: usize,
}

impl<'a> EmbeddingF32<'a> {
    /// Creates a view of `weight`, whose length is a multiple of `n_embd`.
    pub const fn new(weight: &'a [f32], n_embd: usize) -> Self {
        Self { weight, n_embd }
    }

    /// Returns the token's row, or the boundary's for a token outside the vocabulary, so that no token can fail.
    pub fn row(&self, token: Token) -> &'a [f32] {
        let start = usize::from(token) * self.n_embd;
        self.weight.get(start..start + self.n_embd).or_else(|| self.weight.get(..self.n_embd)).unwrap_or(&[])
    }
}
