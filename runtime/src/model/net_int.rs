//! The network in integers; see [`crate::quant`].

use super::state::BuffersInt;
use super::unobserved;
use crate::cache;
use crate::config::{Config, LevelShape, MAX_FUSE, MAX_LEVELS};
use crate::error::FormatError;
use crate::format::{Layout, Slab, WeightFormat};
use crate::kernels::copy_i8;
use crate::kernels::packed::Packed;
use crate::layers::{Input, LinearInt};
use crate::vocab::{BOUNDARY, Token};

/// Views of the weights, in the order of the slab: embedding (unless level 0 is a table), levels, output.
#[derive(Clone, Debug)]
pub(super) struct NetInt<'a> {
    embedding: &'a [i8],
    levels: heapless::Vec<LinearInt<'a>, MAX_LEVELS>,
    output: LinearInt<'a>,
}

impl<'a> NetInt<'a> {
    pub fn new(
        config: &Config,
        layout: Layout,
        formats: &[WeightFormat],
        slab: &mut Slab<'a>,
    ) -> Result<Self, FormatError> {
        let table = is_table(formats);
        let embedding = if table { &[] } else { slab.take_i8(config.vocab_size() * config.n_embd())? };
        if embedding.contains(&i8::MIN) {
            return Err(FormatError::BadValue { layer: 0 });
        }
        let mut levels = heapless::Vec::new();
        let last = config.levels().len();
        for (index, (shape, &format)) in config.linear_shapes().zip(formats).enumerate() {
            if index > 0 && format == WeightFormat::Table {
                return Err(FormatError::UnsupportedFormat);
            }
            let linear = LinearInt::take(slab, layout, format, shape, config.vocab_size(), index)?;
            if index == last {
                return Ok(Self { embedding, levels, output: linear });
            }
            levels.push(linear).map_err(|_| FormatError::BadHeader)?;
        }
        Err(FormatError::UnsupportedFormat)
    }

    /// The embedding, and the levels with the output layer behind them.
    #[cfg(feature = "alloc")]
    pub fn layers(&self) -> (&'a [i8], alloc::vec::Vec<LinearInt<'a>>) {
        (self.embedding, self.levels.iter().chain([&self.output]).copied().collect())
    }

    /// As for f32: every level as after an endless run of boundaries, and the logits for the first character.
    pub fn reset(&self, config: &Config, buffers: &mut BuffersInt<'_>) {
        self.step(config, buffers, BOUNDARY, true, unobserved);
    }

    /// Takes one character and computes the logits for the next.
    pub fn push(&self, config: &Config, buffers: &mut BuffersInt<'_>, token: Token) {
        self.step(config, buffers, known(config, token), false, unobserved);
    }

    /// As [`Self::push`]; `observe` gets the output of every level.
    pub fn push_observed(
        &self,
        config: &Config,
        buffers: &mut BuffersInt<'_>,
        token: Token,
        observe: &mut dyn FnMut(usize, &[i8]),
    ) {
        self.step(config, buffers, known(config, token), false, observe);
    }

    // `observe` is generic, so that the copy in which nobody looks has no trace of it; the other exists only where
    // `push_observed` is called.
    #[inline(never)]
    fn step(
        &self,
        config: &Config,
        buffers: &mut BuffersInt<'_>,
        token: Token,
        reset: bool,
        mut observe: impl FnMut(usize, &[i8]),
    ) {
        let BuffersInt { tokens, rings, oldest, input, hidden, logits } = buffers;
        let mut rings: &mut [i8] = rings;
        let mut dilation = 1;
        for (index, (linear, oldest)) in self.levels.iter().zip(oldest.iter_mut()).enumerate() {
            let shape = linear.level_shape(dilation);
            dilation *= shape.fuse;
            if index == 0 {
                let recent = recent(&shape, tokens, oldest, token, reset);
                if linear.is_table() {
                    linear.forward_tanh(Input::Tokens(&recent), hidden);
                } else {
                    let constant = self.embed(config.n_embd(), linear, &recent, input);
                    linear.forward_tanh(Input::Prepared(input, constant), hidden);
                }
            } else {
                // The sizes follow from the same Config as the buffers, so that none of these is ever short.
                let Some((ring, rest)) = rings.split_at_mut_checked(shape.ring_len * shape.width_in) else { return };
                let Some(newest) = hidden.get(..shape.width_in) else { return };
                rings = rest;
                if reset {
                    cache::fill(&shape, ring, oldest, newest);
                }
                let mut constant = linear.prepare(shape.fuse - 1, newest, input);
                for position in 0..shape.fuse - 1 {
                    let older = cache::older(&shape, ring, *oldest, position);
                    constant = constant.wrapping_add(linear.prepare(position, older, input));
                }
                copy_i8(newest, cache::push(&shape, ring, oldest));
                linear.forward_tanh(Input::Prepared(input, constant), hidden);
            }
            if let Some(values) = hidden.get(..shape.fan_out) {
                observe(index, values);
            }
        }
        if let Some(hidden) = hidden.get(..config.n_hidden()) {
            let constant = self.output.prepare(0, hidden, input);
            self.output.forward(Input::Prepared(input, constant), logits);
        }
    }

    /// Puts the embeddings of characters into the input of level 0; gives the input's constant.
    fn embed(&self, n_embd: usize, linear: &LinearInt<'_>, tokens: &[Token], input: &mut [u32]) -> i32 {
        tokens.iter().enumerate().fold(0, |constant: i32, (position, &token)| {
            let start = usize::from(token) * n_embd;
            let row = self.embedding.get(start..start + n_embd).unwrap_or(&[]);
            constant.wrapping_add(linear.prepare(position, row, input))
        })
    }
}

/// The characters that level 0 fuses, oldest first: it remembers them, not what they stand for.
fn recent(
    shape: &LevelShape,
    ring: &mut [Token],
    oldest: &mut u16,
    token: Token,
    reset: bool,
) -> heapless::Vec<Token, MAX_FUSE> {
    let shape = LevelShape { width_in: 1, ..*shape };
    if reset {
        cache::fill(&shape, ring, oldest, &[token]);
    }
    let older = (0..shape.fuse - 1).filter_map(|position| cache::older(&shape, ring, *oldest, position).first());
    let recent = older.copied().chain([token]).collect();
    cache::copy(cache::push(&shape, ring, oldest), &[token]);
    recent
}

/// The token, or the boundary in place of one outside the vocabulary.
fn known(config: &Config, token: Token) -> Token {
    if usize::from(token) < config.vocab_size() { token } else { BOUNDARY }
}

/// Whether level 0 is a table.
fn is_table(formats: &[WeightFormat]) -> bool {
    formats.first() == Some(&WeightFormat::Table)
}

/// Words of the largest input of a layer, in the form its kernel reads.
pub(super) fn input_words(config: &Config, layout: Layout, formats: &[WeightFormat]) -> usize {
    let words =
        config.linear_shapes().zip(formats).map(|(shape, &format)| match (Packed::new(layout, format), format) {
            (_, WeightFormat::Table) => 0,
            (Some(kernel), _) => kernel.prepared_words(shape.positions * kernel.padded(shape.width)),
            (None, _) => shape.fan_in().div_ceil(size_of::<u32>()),
        });
    words.max().unwrap_or(0)
}
