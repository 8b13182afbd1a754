//! The network in integers; see [`crate::quant`].

use super::state::BuffersInt;
use super::unobserved;
use crate::cache;
use crate::config::{Config, LevelShape, LinearShape, Shapes, StateLayout};
use crate::error::FormatError;
use crate::format::header::Fields;
use crate::format::{Layout, MAX_LAYERS, Slab, WeightFormat};
use crate::kernels::{copy_i8, padded};
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
        let mut linears = config.linear_shapes_from(width_in(config, &header.weights));
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
            let linear = LinearInt::new(&header.config, header.layout, format, shape, self.slab.get(start..)?);
            linear.take(slab)?;
            if let Some(error) = linear.check(index) {
                return slab.refuse(error);
            }
            #[cfg(feature = "std")]
            let linear = linear.for_host();
            #[cfg(all(kernel = "mve", feature = "vector128"))]
            let linear = linear.for_vectors();
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
        LinearInt::new(&header.config, header.layout, format, shape, self.slab.get(start..).unwrap_or(&[]))
    }

    /// The layer of this index.
    #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
    #[inline]
    fn linear(&self, _: &Fields<'_>, index: usize, _: LinearShape) -> &LinearInt<'a> {
        self.layers.get(index).unwrap_or(const { &LinearInt::NONE })
    }

    /// The embedding, and the levels with the output layer behind them.
    #[cfg(feature = "alloc")]
    pub fn layers(&self, header: &Fields<'_>) -> (&'a [i8], alloc::vec::Vec<LinearInt<'a>>) {
        let config = &header.config;
        let linears = config.linear_shapes_from(width_in(config, &header.weights)).enumerate();
        let linears = linears.map(|(index, shape)| self.linear(header, index, shape).clone());
        let embedding = if reads_tokens(&header.weights) { 0 } else { config.vocab_size() * config.n_embd() };
        (&bytemuck::cast_slice(self.slab)[..embedding], linears.collect())
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
        let Some(shape) = shapes(header).next() else { return alloc::vec::Vec::new() };
        let linear = &self.linear(header, 0, shape.linear());
        let mut input = alloc::vec![0; linear.input_words()];
        let (mut constant, stride, mut value) = (0_i32, linear.stride(), alloc::vec![0; shape.width_in]);
        for (position, &token) in tokens.iter().enumerate() {
            self.embed(header, token, &mut value);
            let end = if position + 1 == tokens.len() { linear.input_len() } else { (position + 1) * stride };
            constant = constant.wrapping_add(linear.prepare(position * stride..end, &value, &mut input));
        }
        let mut activations = alloc::vec![0; crate::kernels::padded(shape.fan_out)];
        linear.forward_level(&input, constant, &mut activations);
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
        let BuffersInt { rings, oldest, input, hidden, .. } = buffers;
        let width_in = self.embed(header, token, hidden);
        let mut rings = &mut **rings;
        for (index, (shape, oldest)) in header.config.shapes_from(width_in).zip(oldest.iter_mut()).enumerate() {
            self.level(header, index, shape, LevelBuffers { ring: rings, oldest, input, hidden }, reset);
            if let Some(values) = hidden.get(..shape.width_out) {
                observe(index, values);
            }
            // The sizes follow from the same Config as the buffers, so that none is ever short.
            let Some(above) = rings.get_mut(shape.ring_bytes()..) else { return };
            rings = above;
        }
        self.forward_output(header, buffers);
    }

    /// What level 0 reads of a character, and how many values that is: its embedding, or the character itself, whose bits are those of
    /// a signed number here.
    #[inline]
    fn embed(&self, header: &Fields<'_>, token: Token, out: &mut [i8]) -> usize {
        if reads_tokens(&header.weights) {
            out.first_mut().into_iter().for_each(|out| *out = token as i8);
            return 1;
        }
        let width = header.config.n_embd();
        let rows: &[i8] = bytemuck::cast_slice(self.slab);
        copy_i8(rows.get(usize::from(token) * width..).and_then(|rows| rows.get(..width)).unwrap_or(&[]), out);
        width
    }

    /// Takes what is `hidden`, and leaves there what the level gives.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn level(&self, header: &Fields<'_>, index: usize, shape: LevelShape, buffers: LevelBuffers<'_>, reset: bool) {
        let LevelBuffers { ring, oldest, input, hidden } = buffers;
        let Some(newest) = hidden.get(..shape.width_in) else { return };
        let linear = &self.linear(header, index, shape.linear());
        if reset {
            refill(shape, ring, oldest, newest);
        }
        let at = usize::from(*oldest) * shape.width_in;
        let mut constant = 0_i32;
        if !ring.get_mut(at..).is_some_and(|slot| linear.exchange(newest, slot, input)) {
            constant = prepare_all(linear, shape, (ring, *oldest), newest, input);
            copy_i8(newest, cache::slot(shape, ring, *oldest));
        }
        cache::advance(shape, oldest);
        linear.forward_level(input, constant, hidden);
    }

    /// The logits, from what the levels gave: with skip connections, of all levels but the last it is the newest entry in the ring
    /// of the level above.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn forward_output(&self, header: &Fields<'_>, buffers: &mut BuffersInt<'_>) {
        let config = &header.config;
        let BuffersInt { rings, oldest, input, hidden, before_logits } = buffers;
        let Some((input, logits)) = input.split_at_mut_checked(*before_logits) else { return };
        let logits = bytemuck::cast_slice_mut(logits);
        let output = &self.linear(header, config.levels().len(), config.output_shape());
        let hidden = hidden.get(..config.n_hidden()).unwrap_or(&[]);
        if let Some(prepared) = output.as_prepared(hidden) {
            return output.forward(prepared, 0, logits);
        }
        let (mut constant, mut at, mut start) = (0_i32, 0, 0);
        if config.skip() {
            for (index, (shape, &oldest)) in shapes(header).zip(oldest.iter()).enumerate() {
                if index > 0 {
                    let newest = cache::newest(shape, rings.get(start..).unwrap_or(&[]), oldest);
                    let end = at + output.stride_of(newest.len());
                    constant = constant.wrapping_add(output.prepare(at..end, newest, input));
                    at = end;
                }
                start += shape.ring_bytes();
            }
        }
        constant = constant.wrapping_add(output.prepare(at..output.input_len(), hidden, input));
        output.forward(input, constant, logits);
    }
}

/// As if the level had only ever seen this.
#[cold]
fn refill(shape: LevelShape, ring: &mut [i8], oldest: &mut u16, newest: &[i8]) {
    cache::reset(shape, ring, oldest).for_each(|slot| copy_i8(newest, slot));
}

/// What a level works in.
struct LevelBuffers<'b> {
    /// Its ring and what is behind.
    ring: &'b mut [i8],
    oldest: &'b mut u16,
    input: &'b mut [u32],
    hidden: &'b mut [i8],
}

/// Whether level 0 is a table, and reads characters themselves.
fn reads_tokens(formats: &[WeightFormat]) -> bool {
    formats.first().is_some_and(|format| format.reads_tokens())
}

/// Values that level 0 reads of a character.
fn width_in(config: &Config, formats: &[WeightFormat]) -> usize {
    if reads_tokens(formats) { 1 } else { config.n_embd() }
}

/// The sizes of every level.
fn shapes<'c>(header: &'c Fields<'_>) -> Shapes<'c> {
    header.config.shapes_from(width_in(&header.config, &header.weights))
}

/// Puts what a level fuses into its input, one by one; gives the input's constant.
// Where there is a shorter way, it would cost that one registers.
#[cfg_attr(kernel = "mve", inline(never))]
#[cfg_attr(not(kernel = "mve"), inline)]
fn prepare_all(
    linear: &LinearInt<'_>,
    shape: LevelShape,
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

/// The token, or the boundary in place of one outside the vocabulary.
fn known(config: &Config, token: Token) -> Token {
    if usize::from(token) < config.vocab_size() { token } else { BOUNDARY }
}

/// The buffers of a network with these layers.
///
/// The logits lie at the end of the input: when they are computed, no level needs it any more.
#[inline(never)]
pub(super) fn state_layout(config: &Config, layout: Layout, formats: &[WeightFormat]) -> StateLayout {
    let input_words = |index: usize, shape: LinearShape| {
        let format = formats.get(index).copied().unwrap_or(WeightFormat::Table);
        LinearInt::new(config, layout, format, shape, &[]).input_words()
    };
    // Outputs in whole blocks of rows, whatever the layout: kernels never have to stop in the middle of one.
    let logits = padded(config.vocab_size());
    let width_in = width_in(config, formats);
    let output = input_words(config.levels().len(), config.output_shape());
    let mut buffers = StateLayout { logits, input: output + logits, rings: 0, hidden: width_in };
    for (index, shape) in config.shapes_from(width_in).enumerate() {
        buffers.input = buffers.input.max(input_words(index, shape.linear()));
        buffers.rings += shape.ring_bytes();
        buffers.hidden = buffers.hidden.max(padded(shape.fan_out));
    }
    buffers
}
