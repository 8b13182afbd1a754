//! The network in integers; see [`crate::quant`].

use super::state::BuffersInt;
use super::unobserved;
use crate::cache;
use crate::config::{Config, LevelShape, MAX_FUSE, MAX_LEVELS};
use crate::error::FormatError;
use crate::format::{Slab, WeightFormat};
use crate::layers::LinearInt;
use crate::quant::tanh_i8;
use crate::vocab::{BOUNDARY, Token};

/// Views of the weights, in the order of the slab: embedding (unless level 0 is a table), levels, output.
#[derive(Clone, Debug)]
pub(super) struct NetInt<'a> {
    embedding: &'a [i8],
    levels: heapless::Vec<LinearInt<'a>, MAX_LEVELS>,
    output: LinearInt<'a>,
}

impl<'a> NetInt<'a> {
    pub fn new(config: &Config, formats: &[WeightFormat], slab: &mut Slab<'a>) -> Result<Self, FormatError> {
        let table = is_table(formats);
        let embedding = if table { &[] } else { slab.take_i8(config.vocab_size() * config.n_embd())? };
        if embedding.contains(&i8::MIN) {
            return Err(FormatError::BadValue { layer: 0 });
        }
        let mut levels = heapless::Vec::new();
        let mut formats = formats.iter().copied().enumerate();
        let mut next = || formats.next().ok_or(FormatError::UnsupportedFormat);
        for shape in config.shapes() {
            let (index, format) = next()?;
            let fan_in = match format {
                WeightFormat::Table if index > 0 => return Err(FormatError::UnsupportedFormat),
                WeightFormat::Table => shape.fuse * config.vocab_size(),
                _ => shape.fan_in,
            };
            let linear = LinearInt::take(slab, format, [fan_in, shape.fan_out], index)?;
            levels.push(linear).map_err(|_| FormatError::BadHeader)?;
        }
        let (index, format) = next()?;
        if format == WeightFormat::Table {
            return Err(FormatError::UnsupportedFormat);
        }
        let output = LinearInt::take(slab, format, [config.n_hidden(), config.vocab_size()], index)?;
        Ok(Self { embedding, levels, output })
    }

    /// As for f32: every level as after an endless run of boundaries, and the logits for the first character.
    pub fn reset(&self, config: &Config, buffers: &mut BuffersInt<'_>) {
        self.step(config, buffers, BOUNDARY, cache::fill, cache::fill, unobserved);
    }

    /// Takes one character and computes the logits for the next.
    pub fn push(&self, config: &Config, buffers: &mut BuffersInt<'_>, token: Token) {
        self.step(config, buffers, known(config, token), cache::advance, cache::advance, unobserved);
    }

    /// As [`Self::push`]; `observe` gets the output of every level.
    pub fn push_observed(
        &self,
        config: &Config,
        buffers: &mut BuffersInt<'_>,
        token: Token,
        observe: &mut dyn FnMut(usize, &[i8]),
    ) {
        self.step(config, buffers, known(config, token), cache::advance, cache::advance, observe);
    }

    // Pointers rather than generic parameters: one copy of the code. `observe` is generic, so that the copy in which nobody
    // looks has no trace of it; the other exists only where `push_observed` is called.
    #[inline(never)]
    fn step(
        &self,
        config: &Config,
        buffers: &mut BuffersInt<'_>,
        token: Token,
        gather_tokens: cache::Gather<Token>,
        gather: cache::Gather<i8>,
        mut observe: impl FnMut(usize, &[i8]),
    ) {
        let BuffersInt { tokens, rings, oldest, input, hidden, logits } = buffers;
        let mut rings: &mut [i8] = rings;
        // The shapes are computed anew rather than kept: a model on a small chip is 200 bytes smaller for it.
        let levels = config.shapes().zip(&self.levels).zip(oldest.iter_mut());
        for (index, ((shape, linear), oldest)) in levels.enumerate() {
            let activate = |hidden: &mut [i8], row: usize, pre_activation: i32| {
                if let Some(value) = hidden.get_mut(row) {
                    *value = tanh_i8(pre_activation);
                }
            };
            if index == 0 {
                let mut recent = [BOUNDARY; MAX_FUSE];
                // Level 0 remembers characters, not what they stand for: entries of one token.
                let shape = LevelShape { width_in: 1, ..shape };
                let Some(recent) = recent.get_mut(..shape.fuse) else { return };
                gather_tokens(&shape, tokens, oldest, &[token], recent);
                if linear.is_table() {
                    linear.look_up(config.vocab_size(), recent, |row, value| activate(hidden, row, value));
                } else {
                    let n_embd = config.n_embd().max(1);
                    for (to, &token) in input.chunks_exact_mut(n_embd).zip(recent.iter()) {
                        let row = self.embedding.chunks_exact(n_embd).nth(token.into()).unwrap_or(&[]);
                        to.iter_mut().zip(row).for_each(|(to, &from)| *to = from);
                    }
                    let Some(input) = input.get(..n_embd * shape.fuse) else { return };
                    linear.forward(input, |row, value| activate(hidden, row, value));
                }
            } else {
                // The sizes follow from the same Config as the buffers, so that none of these is ever short.
                let Some((ring, rest)) = rings.split_at_mut_checked(shape.ring_len * shape.width_in) else { return };
                let Some(input) = input.get_mut(..shape.fan_in) else { return };
                rings = rest;
                gather(&shape, ring, oldest, hidden, input);
                linear.forward(input, |row, value| activate(hidden, row, value));
            }
            if let Some(values) = hidden.get(..shape.fan_out) {
                observe(index, values);
            }
        }
        if let Some(hidden) = hidden.get(..config.n_hidden()) {
            self.output.forward(hidden, |row, value| {
                if let Some(logit) = logits.get_mut(row) {
                    *logit = value;
                }
            });
        }
    }
}

/// The token, or the boundary in place of one outside the vocabulary.
fn known(config: &Config, token: Token) -> Token {
    if usize::from(token) < config.vocab_size() { token } else { BOUNDARY }
}

/// Whether level 0 is a table.
pub(super) fn is_table(formats: &[WeightFormat]) -> bool {
    formats.first() == Some(&WeightFormat::Table)
}
