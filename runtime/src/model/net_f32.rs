//! The network in single precision.

use super::state::BuffersF32;
use super::unobserved;
use crate::cache;
use crate::config::Config;
use crate::error::FormatError;
use crate::format::WeightFormat;
use crate::format::slab::Slab;
use crate::layers::{EmbeddingF32, LinearF32, activate_f32};
use crate::limits::MAX_LAYERS;
use crate::vocab::{BOUNDARY, Token};

/// Where the weights are; what they are follows from the dimensions that every method is given, the same ones always.
#[derive(Clone, Debug)]
pub(crate) struct NetF32<'a> {
    /// All weights: embedding, levels, output.
    slab: &'a [u32],
    /// The first word of each layer in it.
    layers: [u32; MAX_LAYERS],
}

impl<'a> NetF32<'a> {
    /// Without weights.
    #[cfg(not(feature = "int8"))]
    pub const NONE: Self = Self::built_in(&[], [0; MAX_LAYERS]);

    /// Weights that were checked elsewhere.
    #[cfg(not(all(feature = "std", feature = "int8")))]
    pub const fn built_in(slab: &'a [u32], layers: [u32; MAX_LAYERS]) -> Self {
        Self { slab, layers }
    }

    pub fn new(config: &Config, formats: &[WeightFormat], slab: &mut Slab<'a>) -> Option<Self> {
        if formats.iter().any(|&format| format != WeightFormat::F32) {
            return slab.refuse(FormatError::UnsupportedFormat);
        }
        let mut net = Self { slab: slab.words()?, layers: [0; MAX_LAYERS] };
        slab.take_f32(config.vocab_size() * config.n_embd())?;
        for (shape, layer) in config.linear_shapes().zip(&mut net.layers) {
            *layer = (slab.taken() / size_of::<u32>()) as u32;
            LinearF32::take(slab, shape.fan_in(), shape.fan_out)?;
        }
        Some(net)
    }

    /// The first word of each layer in the slab.
    #[cfg(feature = "alloc")]
    pub fn starts(&self) -> [u32; MAX_LAYERS] {
        self.layers
    }

    /// The embedding.
    pub fn embedding(&self, config: &Config) -> EmbeddingF32<'a> {
        let weights = self.slab.get(..config.vocab_size() * config.n_embd()).unwrap_or(&[]);
        EmbeddingF32::new(bytemuck::try_cast_slice(weights).unwrap_or(&[]), config.n_embd())
    }

    /// The layer of this index, which has this shape.
    pub fn linear(&self, index: usize, fan_in: usize, fan_out: usize) -> LinearF32<'a> {
        let start = self.layers.get(index).map_or(0, |&start| start as usize);
        // Same size and alignment: the cast always succeeds.
        let values = bytemuck::try_cast_slice(self.slab.get(start..).unwrap_or(&[])).unwrap_or(&[]);
        LinearF32::new(values, fan_in, fan_out)
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
        let row = self.embedding(config).row(token);
        hidden.iter_mut().zip(row).for_each(|(hidden, &value)| *hidden = value);
        for (index, (shape, oldest)) in config.shapes().zip(oldest.iter_mut()).enumerate() {
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
            self.linear(index, shape.fan_in, shape.fan_out).forward(input, hidden);
            if let Some(values) = hidden.get_mut(..shape.fan_out) {
                activate_f32(config.activation(), values);
                observe(index, values.get(..shape.width_out).unwrap_or(&[]));
            }
        }
        let Some(hidden) = hidden.get(..config.n_hidden()) else { return };
        let output = self.linear(config.levels().len(), config.output_fan_in(), config.vocab_size());
        if !config.skip() {
            return output.forward(hidden, logits);
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
        output.forward(input, buffers.logits);
    }
}
