//! The network in single precision.

use super::state::BuffersF32;
use super::unobserved;
use crate::cache;
use crate::config::{Config, MAX_LEVELS};
use crate::error::FormatError;
use crate::format::{Slab, WeightFormat};
use crate::layers::{EmbeddingF32, LinearF32, activate_f32};
use crate::vocab::{BOUNDARY, Token};

/// Views of the weights, in the order of the slab: embedding, levels, output.
#[derive(Clone, Debug)]
pub(crate) struct NetF32<'a> {
    embedding: EmbeddingF32<'a>,
    levels: heapless::Vec<LinearF32<'a>, MAX_LEVELS>,
    output: LinearF32<'a>,
}

impl<'a> NetF32<'a> {
    /// Without weights.
    #[cfg(not(feature = "int8"))]
    pub const NONE: Self =
        Self { embedding: EmbeddingF32::new(&[], 0), levels: heapless::Vec::new(), output: LinearF32::NONE };

    pub fn new(config: &Config, formats: &[WeightFormat], slab: &mut Slab<'a>) -> Option<Self> {
        if formats.iter().any(|&format| format != WeightFormat::F32) {
            return slab.refuse(FormatError::UnsupportedFormat);
        }
        let embedding = slab.take_f32(config.vocab_size() * config.n_embd())?;
        let mut levels = heapless::Vec::new();
        for shape in config.shapes() {
            let linear = LinearF32::take(slab, shape.fan_in, shape.fan_out)?;
            levels.push(linear).ok()?;
        }
        let output = LinearF32::take(slab, config.output_shape().fan_in(), config.vocab_size())?;
        Some(Self { embedding: EmbeddingF32::new(embedding, config.n_embd()), levels, output })
    }

    /// The embedding, the levels, the output layer.
    #[cfg(feature = "std")]
    pub fn parts(&self) -> (EmbeddingF32<'a>, &[LinearF32<'a>], LinearF32<'a>) {
        (self.embedding, &self.levels, self.output)
    }

    /// Puts every level into the state it has after an endless run of boundaries, and computes the logits for the
    /// first character.
    ///
    /// Never zeros: the training pads with the boundary character, whose embedding is not zero.
    pub fn reset(&self, config: &Config, buffers: &mut BuffersF32<'_>) {
        self.step(config, buffers, BOUNDARY, true, unobserved);
    }

    /// Takes one character and computes the logits for the next.
    pub fn push(&self, config: &Config, buffers: &mut BuffersF32<'_>, token: Token) {
        self.step(config, buffers, token, false, unobserved);
    }

    /// As [`Self::push`]; `observe` gets the output of every level.
    pub fn push_observed(
        &self,
        config: &Config,
        buffers: &mut BuffersF32<'_>,
        token: Token,
        observe: &mut dyn FnMut(usize, &[f32]),
    ) {
        self.step(config, buffers, token, false, observe);
    }

    // `observe` is generic, so that the copy in which nobody looks has no trace of it; the other exists only where
    // `push_observed` is called.
    #[inline(never)]
    fn step(
        &self,
        config: &Config,
        buffers: &mut BuffersF32<'_>,
        token: Token,
        reset: bool,
        mut observe: impl FnMut(usize, &[f32]),
    ) {
        let BuffersF32 { rings, oldest, input, hidden, logits } = buffers;
        let mut rings: &mut [f32] = rings;
        let row = self.embedding.row(token);
        hidden.iter_mut().zip(row).for_each(|(hidden, &value)| *hidden = value);
        let levels = config.shapes().zip(&self.levels).zip(oldest.iter_mut());
        for (index, ((shape, linear), oldest)) in levels.enumerate() {
            // The sizes follow from the same Config as the buffers, so that none of these is ever short.
            let Some((ring, rest)) = rings.split_at_mut_checked(shape.ring_len * shape.width_in) else { return };
            let Some(input) = input.get_mut(..shape.fan_in) else { return };
            rings = rest;
            let Some(newest) = hidden.get(..shape.width_in) else { return };
            if reset {
                cache::reset(shape, ring, oldest).for_each(|slot| cache::copy(slot, newest));
            }
            for (position, segment) in input.chunks_exact_mut(shape.width_in.max(1)).enumerate() {
                let last = position + 1 == shape.fuse;
                cache::copy(segment, if last { newest } else { cache::older(shape, ring, *oldest, position) });
            }
            cache::copy(cache::slot(shape, ring, *oldest), newest);
            cache::advance(shape, oldest);
            linear.forward(input, hidden);
            if let Some(values) = hidden.get_mut(..shape.fan_out) {
                activate_f32(config.activation(), values);
                observe(index, values.get(..shape.width_out).unwrap_or(&[]));
            }
        }
        let Some(hidden) = hidden.get(..config.n_hidden()) else { return };
        if !config.skip() {
            return self.output.forward(hidden, logits);
        }
        // What a level gave is the newest entry in the ring of the one above it.
        let Some(input) = input.get_mut(..config.output_fan_in()) else { return };
        let (mut rings, mut rest): (&[f32], &mut [f32]) = (buffers.rings, input);
        let mut shapes = config.shapes().zip(buffers.oldest.iter());
        if let Some((first, _)) = shapes.next() {
            rings = rings.get(first.ring_len * first.width_in..).unwrap_or(&[]);
        }
        for level in config.levels() {
            let Some((segment, behind)) = rest.split_at_mut_checked(level.width.into()) else { return };
            let newest = match shapes.next() {
                None => hidden,
                Some((shape, &oldest)) => {
                    let (ring, above) = rings.split_at_checked(shape.ring_len * shape.width_in).unwrap_or((&[], &[]));
                    rings = above;
                    cache::newest(shape, ring, oldest)
                }
            };
            cache::copy(segment, newest);
            rest = behind;
        }
        let Some(input) = buffers.input.get(..config.output_fan_in()) else { return };
        self.output.forward(input, buffers.logits);
    }
}
