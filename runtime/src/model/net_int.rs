//! The network in integers; see [`crate::quant`].

use super::state::{BuffersInt, ForOutput};
use super::unobserved;
use crate::cache;
use crate::config::{Config, LevelShape, LinearShape, MAX_FUSE, StateLayout};
use crate::error::FormatError;
use crate::format::header::Fields;
use crate::format::{Layout, MAX_LAYERS, Slab, WeightFormat};
use crate::kernels::copy_i8;
use crate::kernels::packed::Packed;
use crate::layers::LinearInt;
use crate::vocab::{BOUNDARY, Token};

/// Where the weights are; what they are follows from the header that every method is given, the same one always.
#[derive(Clone, Debug)]
pub(crate) struct NetInt<'a> {
    /// All weights: embedding (unless level 0 is a table), levels, output.
    slab: &'a [u32],
    /// The first word of each layer in it; see [`LinearInt`].
    #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
    layers: [u32; MAX_LAYERS],
    /// Where there is memory for them, and little else to do: the layers themselves.
    #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
    layers: [LinearInt<'a>; MAX_LAYERS],
}

impl<'a> NetInt<'a> {
    /// Without weights.
    pub const NONE: Self = Self {
        slab: &[],
        #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
        layers: [0; MAX_LAYERS],
        #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
        layers: [const { LinearInt::NONE }; MAX_LAYERS],
    };

    /// Finds and checks the weights; `None` if the slab is refused.
    #[inline(never)]
    pub fn load(&mut self, header: &Fields<'a>, slab: &mut Slab<'a>) -> Option<()> {
        // It begins at a multiple of 16 bytes from an aligned start, and has been written in whole words.
        self.slab = bytemuck::try_cast_slice(slab.rest().get(..slab.rest().len() & !3)?).ok()?;
        let config = &header.config;
        let mut linears = config.linear_shapes();
        for (index, &format) in header.weights.iter().enumerate() {
            let shape = linears.next()?;
            if index == 0 && !format.reads_tokens() {
                let embedding = slab.take(config.vocab_size() * config.n_embd())?;
                if embedding.iter().any(|&value| value as i8 == i8::MIN) {
                    return slab.refuse(FormatError::BadValue { layer: 0 });
                }
            }
            if index > 0 && format.reads_tokens() {
                return slab.refuse(FormatError::UnsupportedFormat);
            }
            let start = slab.taken() / size_of::<u32>();
            let linear = LinearInt::new(header, format, shape, self.slab.get(start..)?);
            linear.take(slab)?;
            if let Some(error) = linear.check(index) {
                return slab.refuse(error);
            }
            #[cfg(feature = "std")]
            let linear = linear.for_host();
            #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
            let layer = linear;
            #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
            let layer = start as u32;
            *self.layers.get_mut(index)? = layer;
        }
        Some(())
    }

    /// The layer of this index, which has this shape.
    #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
    #[inline]
    fn linear(&self, header: &Fields<'_>, index: usize, shape: LinearShape) -> LinearInt<'a> {
        let format = header.weights.get(index).copied().unwrap_or(WeightFormat::Int8);
        let start = self.layers.get(index).map_or(0, |&start| start as usize);
        LinearInt::new(header, format, shape, self.slab.get(start..).unwrap_or(&[]))
    }

    /// The layer of this index.
    #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
    #[inline]
    fn linear(&self, _: &Fields<'_>, index: usize, _: LinearShape) -> &LinearInt<'a> {
        self.layers.get(index).unwrap_or(const { &LinearInt::NONE })
    }

    /// The embedding, `[vocab_size][n_embd]`; something else where level 0 reads characters.
    fn embedding(&self) -> &'a [i8] {
        bytemuck::cast_slice(self.slab)
    }

    /// The embedding, and the levels with the output layer behind them.
    #[cfg(feature = "alloc")]
    pub fn layers(&self, header: &Fields<'_>) -> (&'a [i8], alloc::vec::Vec<LinearInt<'a>>) {
        let (config, tabulated) = (&header.config, header.weights.first().is_some_and(|format| format.reads_tokens()));
        let linears =
            config.linear_shapes().enumerate().map(|(index, shape)| self.linear(header, index, shape).clone());
        let embedding = if tabulated { 0 } else { config.vocab_size() * config.n_embd() };
        (&self.embedding()[..embedding], linears.collect())
    }

    /// What level 0 gives for every pair of characters, `[vocab_size][vocab_size][width_out]`; `None` if it fuses more than two.
    #[cfg(feature = "alloc")]
    pub fn pairs(&self, header: &Fields<'_>) -> Option<alloc::vec::Vec<i8>> {
        let config = &header.config;
        let shape = config.shapes().next()?;
        if shape.fuse != 2 {
            return None;
        }
        // At most 256 tokens.
        let tokens = || 0..config.vocab_size() as u16;
        let pairs = tokens().flat_map(|older| tokens().map(move |newer| [older as Token, newer as Token]));
        Some(pairs.flat_map(|pair| self.level_0(header, &pair)).collect())
    }

    /// What level 0 gives for the characters it fuses, oldest first.
    #[cfg(feature = "alloc")]
    pub fn level_0(&self, header: &Fields<'_>, tokens: &[Token]) -> alloc::vec::Vec<i8> {
        let Some(shape) = header.config.shapes().next() else { return alloc::vec::Vec::new() };
        let linear = &self.linear(header, 0, shape.linear());
        let mut activations = alloc::vec![0; crate::kernels::padded(shape.fan_out)];
        if linear.reads_tokens() {
            linear.look_up(tokens, &mut activations);
        } else {
            let mut input = alloc::vec![0; linear.input_words()];
            let positions = tokens.iter().enumerate().map(|(position, &token)| {
                let row = self.embedding_of(linear, token);
                linear.prepare(place(linear, position, position + 1 == tokens.len()), row, &mut input)
            });
            let constant = positions.fold(0, i32::wrapping_add);
            linear.forward_level(&input, constant, &mut activations);
        }
        activations.truncate(shape.width_out);
        activations
    }

    /// As for f32: every level as after an endless run of boundaries, and the logits for the first character.
    pub fn reset(&self, header: &Fields<'_>, buffers: &mut BuffersInt<'_>) {
        self.step(header, buffers, BOUNDARY, true, unobserved);
    }

    /// Takes one character and computes the logits for the next.
    pub fn push(&self, header: &Fields<'_>, buffers: &mut BuffersInt<'_>, token: Token) {
        self.step(header, buffers, known(&header.config, token), false, unobserved);
    }

    /// As [`Self::push`]; `observe` gets the output of every level.
    pub fn push_observed(
        &self,
        header: &Fields<'_>,
        buffers: &mut BuffersInt<'_>,
        token: Token,
        observe: &mut dyn FnMut(usize, &[i8]),
    ) {
        self.step(header, buffers, known(&header.config, token), false, observe);
    }

    // `observe` is generic, so that the copy in which nobody looks has no trace of it; the other exists only where
    // `push_observed` is called.
    #[inline(never)]
    fn step(
        &self,
        header: &Fields<'_>,
        buffers: &mut BuffersInt<'_>,
        token: Token,
        reset: bool,
        mut observe: impl FnMut(usize, &[i8]),
    ) {
        let (mut index, mut ring) = (0, 0);
        for shape in header.config.shapes() {
            if index == 0 {
                self.characters(header, shape, buffers, token, reset);
            } else {
                ring = self.level(header, (index, ring), &shape, buffers, reset);
            }
            if let Some(values) = buffers.hidden.get(..shape.width_out) {
                observe(index, values);
            }
            index += 1;
        }
        self.forward_output(header, buffers.for_output());
    }

    /// Level 0, whose ring remembers characters, not what they stand for.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn characters(
        &self,
        header: &Fields<'_>,
        shape: LevelShape,
        buffers: &mut BuffersInt<'_>,
        token: Token,
        reset: bool,
    ) {
        let BuffersInt { tokens, oldest: [oldest, ..], input, hidden, .. } = buffers;
        let linear = &self.linear(header, 0, shape.linear());
        if reset {
            *oldest = 0;
            tokens.iter_mut().for_each(|slot| *slot = token as i8);
        }
        // As the rings of the other levels (see [`cache`]), but for a width and a dilation of 1.
        let start = usize::from(*oldest);
        let older = |position: usize| {
            let slot = start + position;
            let slot = if slot >= shape.ring_len { slot - shape.ring_len } else { slot };
            tokens.get(slot).map_or(BOUNDARY, |&older| older as Token)
        };
        if !linear.reads_tokens() {
            let embedded = self.embed(linear, shape.fuse, &older, token, input);
            linear.forward_level(input, embedded, hidden);
        } else if shape.fuse == 2 {
            linear.look_up_pair(older(0), token, hidden);
        } else {
            look_up_many(linear, shape.fuse, &older, token, hidden);
        }
        if let Some(slot) = tokens.get_mut(start) {
            *slot = token as i8;
        }
        *oldest = if start + 1 >= shape.ring_len { 0 } else { *oldest + 1 };
    }

    /// A level above, whose ring begins there; where the next one's does.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn level(
        &self,
        header: &Fields<'_>,
        (index, ring): (usize, usize),
        shape: &LevelShape,
        buffers: &mut BuffersInt<'_>,
        reset: bool,
    ) -> usize {
        let BuffersInt { rings, oldest, input, hidden, .. } = buffers;
        let end = ring + shape.ring_len * shape.width_in;
        // The sizes follow from the same Config as the buffers, so that none of these is ever short.
        let (Some(ring), Some(oldest), Some(newest)) =
            (rings.get_mut(ring..end), oldest.get_mut(index), hidden.get(..shape.width_in))
        else {
            return end;
        };
        let linear = &self.linear(header, index, shape.linear());
        if reset {
            cache::reset(shape, ring, oldest).for_each(|slot| copy_i8(newest, slot));
        }
        let mut constant = 0_i32;
        let exchanged = shape.fuse == 2 && linear.exchange(newest, cache::slot(shape, ring, *oldest), input);
        if !exchanged {
            constant = prepare_all(linear, shape, (ring, *oldest), newest, input);
        }
        let slot = cache::push(shape, ring, oldest);
        if !exchanged {
            copy_i8(newest, slot);
        }
        linear.forward_level(input, constant, hidden);
        end
    }

    /// The logits, from what the levels gave: with skip connections, of all levels but the last it is the newest entry in the ring
    /// of the level above.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn forward_output(&self, header: &Fields<'_>, buffers: ForOutput<'_>) {
        let config = &header.config;
        let ForOutput { input, logits, hidden, mut rings, oldest } = buffers;
        let output = &self.linear(header, config.levels().len(), config.output_shape());
        let hidden = hidden.get(..config.n_hidden()).unwrap_or(&[]);
        if let Some(prepared) = output.as_prepared(hidden) {
            return output.forward(prepared, 0, logits);
        }
        let (mut constant, mut at) = (0_i32, 0);
        if config.skip() {
            let mut shapes = config.shapes();
            shapes.next();
            for &oldest in oldest.iter().skip(1) {
                let Some(shape) = shapes.next() else { break };
                let Some((ring, rest)) = rings.split_at_checked(shape.ring_len * shape.width_in) else { return };
                let newest = cache::newest(&shape, ring, oldest);
                let end = at + output.stride_of(newest.len());
                constant = constant.wrapping_add(output.prepare(at..end, newest, input));
                at = end;
                rings = rest;
            }
        }
        constant = constant.wrapping_add(output.prepare(at..output.input_len(), hidden, input));
        output.forward(input, constant, logits);
    }

    /// Puts the embeddings of the characters that level 0 fuses into its input; gives the input's constant.
    #[inline(never)]
    fn embed(
        &self,
        linear: &LinearInt<'_>,
        fuse: usize,
        older: &dyn Fn(usize) -> Token,
        newest: Token,
        input: &mut [u32],
    ) -> i32 {
        (0..fuse).fold(0, |constant: i32, position| {
            let is_last = position + 1 == fuse;
            let row = self.embedding_of(linear, if is_last { newest } else { older(position) });
            constant.wrapping_add(linear.prepare(place(linear, position, is_last), row, input))
        })
    }

    /// The embedding of a character that level 0 reads.
    #[inline(never)]
    fn embedding_of(&self, linear: &LinearInt<'_>, token: Token) -> &'a [i8] {
        let (start, width) = (usize::from(token) * linear.width(), linear.width());
        self.embedding().get(start..).and_then(|rows| rows.get(..width)).unwrap_or(&[])
    }
}

/// Puts what a level fuses into its input, one by one; gives the input's constant.
// Where there is a shorter way, it would cost that one registers.
#[cfg_attr(kernel = "mve", inline(never))]
#[cfg_attr(not(kernel = "mve"), inline)]
fn prepare_all(
    linear: &LinearInt<'_>,
    shape: &LevelShape,
    (ring, oldest): (&[i8], u16),
    newest: &[i8],
    input: &mut [u32],
) -> i32 {
    let (mut constant, mut at, stride) = (0_i32, 0, linear.stride());
    for position in 0..shape.fuse - 1 {
        let older = cache::older(shape, ring, oldest, position);
        constant = constant.wrapping_add(linear.prepare(at..at + stride, older, input));
        at += stride;
    }
    constant.wrapping_add(linear.prepare(at..linear.input_len(), newest, input))
}

/// Where a position of level 0 is in its input.
fn place(linear: &LinearInt<'_>, position: usize, is_last: bool) -> core::ops::Range<usize> {
    let stride = linear.stride();
    position * stride..if is_last { linear.input_len() } else { (position + 1) * stride }
}

/// Level 0 by a table of any number of characters.
// Not inlined: its buffer would be part of every step.
#[inline(never)]
fn look_up_many(linear: &LinearInt<'_>, fuse: usize, older: &dyn Fn(usize) -> Token, newest: Token, hidden: &mut [i8]) {
    let mut tokens = [newest; MAX_FUSE];
    let Some(tokens) = tokens.get_mut(..fuse) else { return };
    tokens.iter_mut().enumerate().take(fuse - 1).for_each(|(position, token)| *token = older(position));
    linear.look_up(tokens, hidden);
}

/// The token, or the boundary in place of one outside the vocabulary.
fn known(config: &Config, token: Token) -> Token {
    if usize::from(token) < config.vocab_size() { token } else { BOUNDARY }
}

/// The buffers of a network with these layers.
#[inline(never)]
pub(super) fn state_layout(config: &Config, layout: Layout, formats: &[WeightFormat]) -> StateLayout {
    // Words of the largest input of a level, and of the input of the output layer, which is the last.
    let (mut levels, mut output) = (0, 0);
    let mut formats = formats.iter();
    for shape in config.linear_shapes() {
        let format = formats.next().copied().unwrap_or(WeightFormat::Table);
        levels = levels.max(output);
        output = match Packed::new(layout, format) {
            Some(kernel) => kernel.prepared_words(kernel.columns(&shape)),
            None if format.reads_tokens() => 0,
            None => shape.fan_in().div_ceil(size_of::<u32>()),
        };
    }
    config.state_layout_int(levels, output)
}
