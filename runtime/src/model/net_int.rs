//! The network in integers; see [`crate::quant`].

use super::state::{BuffersInt, ForOutput};
use super::unobserved;
use crate::cache;
use crate::config::{Config, LevelShape, MAX_FUSE, MAX_LEVELS};
use crate::error::FormatError;
use crate::format::{Layout, Slab, WeightFormat};
use crate::kernels::copy_i8;
use crate::kernels::packed::Packed;
use crate::layers::{self, Input, LinearInt};
use crate::vocab::{BOUNDARY, Token};

/// Views of the weights, in the order of the slab: embedding (unless level 0 is a table), levels, output.
#[derive(Clone, Debug)]
pub(crate) struct NetInt<'a> {
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
        let embedding = if formats.first().is_some_and(|format| format.reads_tokens()) {
            &[]
        } else {
            slab.take_i8(config.vocab_size() * config.n_embd())?
        };
        if embedding.contains(&i8::MIN) {
            return Err(FormatError::BadValue { layer: 0 });
        }
        let mut levels = heapless::Vec::new();
        let (last, activation) = (config.levels().len(), config.activation());
        for (index, (shape, &format)) in config.linear_shapes().zip(formats).enumerate() {
            if index > 0 && format.reads_tokens() {
                return Err(FormatError::UnsupportedFormat);
            }
            let linear = LinearInt::take(slab, layout, format, shape, activation, config.vocab_size(), index)?;
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
        (self.embedding, self.levels.iter().chain([&self.output]).cloned().collect())
    }

    /// What level 0 gives for every pair of characters, `[vocab_size][vocab_size][width_out]`; `None` if it fuses more than two.
    #[cfg(feature = "alloc")]
    pub fn pairs(&self, config: &Config) -> Option<alloc::vec::Vec<i8>> {
        let shape = config.shapes().next()?;
        if shape.fuse != 2 {
            return None;
        }
        // At most 256 tokens.
        let tokens = || 0..config.vocab_size() as u16;
        let pairs = tokens().flat_map(|older| tokens().map(move |newer| [older as Token, newer as Token]));
        Some(pairs.flat_map(|pair| self.level_0(&pair)).collect())
    }

    /// What level 0 gives for the characters it fuses, oldest first.
    #[cfg(feature = "alloc")]
    pub fn level_0(&self, tokens: &[Token]) -> alloc::vec::Vec<i8> {
        let (Some(linear), Some((newest, ring))) = (self.levels.first(), tokens.split_last()) else {
            return alloc::vec::Vec::new();
        };
        let shape = linear.level_shape(1);
        let mut activations = alloc::vec![0; crate::kernels::padded(shape.fan_out)];
        if linear.reads_tokens() {
            linear.forward_level(Input::Tokens(tokens), &mut activations);
        } else {
            let mut input = alloc::vec![0; linear.input_words()];
            let shape = LevelShape { width_in: 1, ..shape };
            let constant = self.embed(&shape, linear, ring, 0, *newest, &mut input);
            linear.forward_level(Input::Prepared(&input, constant), &mut activations);
        }
        activations.truncate(shape.width_out);
        activations
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
        let BuffersInt { tokens, rings, oldest, input, hidden, .. } = buffers;
        let mut rings: &mut [i8] = rings;
        let mut dilation = 1;
        for (index, (linear, oldest)) in self.levels.iter().zip(oldest.iter_mut()).enumerate() {
            let shape = linear.level_shape(dilation);
            dilation *= shape.fuse;
            if index == 0 {
                let shape = LevelShape { width_in: 1, ..shape };
                if reset {
                    cache::reset(&shape, tokens, oldest).for_each(|slot| cache::copy(slot, &[token]));
                }
                if linear.reads_tokens() {
                    look_up(&shape, linear, tokens, *oldest, token, hidden);
                } else {
                    let constant = self.embed(&shape, linear, tokens, *oldest, token, input);
                    linear.forward_level(Input::Prepared(input, constant), hidden);
                }
                cache::copy(cache::push(&shape, tokens, oldest), &[token]);
            } else {
                // The sizes follow from the same Config as the buffers, so that none of these is ever short.
                let Some((ring, rest)) = rings.split_at_mut_checked(shape.ring_len * shape.width_in) else { return };
                let Some(newest) = hidden.get(..shape.width_in) else { return };
                rings = rest;
                if reset {
                    cache::reset(&shape, ring, oldest).for_each(|slot| copy_i8(newest, slot));
                }
                let mut constant = 0_i32;
                for position in 1..shape.fuse - 1 {
                    let older = cache::older(&shape, ring, *oldest, position);
                    constant = constant.wrapping_add(linear.prepare(position, older, input));
                }
                // The oldest last: its place is taken by the newest.
                let slot = cache::push(&shape, ring, oldest);
                constant = constant.wrapping_add(linear.prepare_ends(newest, slot, input));
                linear.forward_level(Input::Prepared(input, constant), hidden);
            }
            if let Some(values) = hidden.get(..shape.width_out) {
                observe(index, values);
            }
        }
        let ForOutput { input, logits, hidden, rings, oldest } = buffers.for_output();
        if let Some(hidden) = hidden.get(..config.n_hidden()) {
            let from = match self.output.as_prepared(hidden) {
                Some(prepared) => Input::Prepared(prepared, 0),
                None => {
                    let skipped = if config.skip() { self.skip(config, rings, oldest, input) } else { 0 };
                    let last = self.output.positions() - 1;
                    let constant = skipped.wrapping_add(self.output.prepare(last, hidden, input));
                    Input::Prepared(input, constant)
                }
            };
            self.output.forward(from, logits);
        }
    }

    /// Puts what all levels but the last gave into the input of the output layer: each is the newest entry in the ring of the
    /// level above it. Gives their part of the input's constant.
    fn skip(&self, config: &Config, rings: &[i8], oldest: &[u16; MAX_LEVELS], input: &mut [u32]) -> i32 {
        let (mut rings, mut constant) = (rings, 0_i32);
        for (position, (shape, &oldest)) in config.shapes().zip(oldest).skip(1).enumerate() {
            let Some((ring, rest)) = rings.split_at_checked(shape.ring_len * shape.width_in) else { return 0 };
            let newest = cache::newest(&shape, ring, oldest);
            constant = constant.wrapping_add(self.output.prepare(position, newest, input));
            rings = rest;
        }
        constant
    }

    /// Puts the embeddings of the characters that level 0 fuses into its input; gives the input's constant.
    fn embed(
        &self,
        shape: &LevelShape,
        linear: &LinearInt<'_>,
        ring: &[Token],
        oldest: u16,
        newest: Token,
        input: &mut [u32],
    ) -> i32 {
        (0..shape.fuse).fold(0, |constant: i32, position| {
            let older = cache::older(shape, ring, oldest, position).first().copied().unwrap_or(BOUNDARY);
            let token = if position + 1 == shape.fuse { newest } else { older };
            let start = usize::from(token) * linear.width();
            let row = self.embedding.get(start..start + linear.width()).unwrap_or(&[]);
            constant.wrapping_add(linear.prepare(position, row, input))
        })
    }
}

/// Level 0 by its table. It remembers characters, not what they stand for.
#[inline]
fn look_up(shape: &LevelShape, linear: &LinearInt<'_>, ring: &[Token], oldest: u16, newest: Token, hidden: &mut [i8]) {
    if shape.fuse == 2 {
        // The oldest of those in the ring.
        let older = ring.get(usize::from(oldest)).copied().unwrap_or(BOUNDARY);
        return linear.look_up(older, newest, hidden);
    }
    look_up_many(shape, linear, ring, oldest, newest, hidden);
}

/// [`look_up`] of any number of characters.
// Not inlined: its buffer would be part of every step.
#[inline(never)]
fn look_up_many(
    shape: &LevelShape,
    linear: &LinearInt<'_>,
    ring: &[Token],
    oldest: u16,
    newest: Token,
    hidden: &mut [i8],
) {
    let older = |position| cache::older(shape, ring, oldest, position).first().copied().unwrap_or(BOUNDARY);
    let tokens: heapless::Vec<Token, MAX_FUSE> = (0..shape.fuse - 1).map(older).chain([newest]).collect();
    linear.forward_level(Input::Tokens(&tokens), hidden);
}

/// The token, or the boundary in place of one outside the vocabulary.
fn known(config: &Config, token: Token) -> Token {
    if usize::from(token) < config.vocab_size() { token } else { BOUNDARY }
}

/// Words of the largest input of a level, and of the input of the output layer, in the form their kernels read.
pub(super) fn input_words(config: &Config, layout: Layout, formats: &[WeightFormat]) -> (usize, usize) {
    let words = config.linear_shapes().zip(formats).map(|(shape, &format)| {
        if format.reads_tokens() { 0 } else { layers::input_words(Packed::new(layout, format), shape) }
    });
    // The last is that of the output layer.
    words.fold((0, 0), |(levels, output), words| (levels.max(output), words))
}
