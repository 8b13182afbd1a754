//! The network in integers; see [`crate::quant`].

use super::state::BuffersInt;
use super::unobserved;
use crate::cache::Ring;
use crate::config::{Config, Level, LinearShape, StateLayout};
use crate::error::FormatError;
use crate::format::header::Fields;
use crate::format::slab::Slab;
use crate::format::{Layout, WeightFormat};
use crate::kernels::copy_i8;
#[cfg(feature = "alloc")]
use crate::layers::Unpacked;
use crate::layers::{Input, LinearInt, Stored, has_lowest};
use crate::limits::MAX_LAYERS;
use crate::rows::{padded, part, round_up};
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
    pub const fn none() -> Self {
        Self {
            slab: &[],
            #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
            layers: [0; MAX_LAYERS],
            #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
            layers: [const { LinearInt::none() }; MAX_LAYERS],
        }
    }

    /// Weights that were checked elsewhere; the rows and the first word of each layer.
    #[cfg_attr(feature = "std", allow(dead_code, reason = "`Model::built_in` does not exist with `std` yet"))]
    #[cfg_attr(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"), allow(unused_variables))]
    pub const fn built_in(
        slab: &'a [u32],
        config: &Config,
        layout: Layout,
        formats: &[WeightFormat],
        rows: &[usize; MAX_LAYERS],
        starts: &[u32; MAX_LAYERS],
    ) -> Self {
        #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
        return Self { slab, layers: *starts };
        #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
        {
            let mut layers = [const { LinearInt::none() }; MAX_LAYERS];
            let mut index = 0;
            while index < formats.len() {
                let (_, words) = slab.split_at(starts[index] as usize);
                let layer = LinearInt::new(config, layout, formats[index], rows[index], words);
                // No destructor runs at compile time, and an empty layer owns nothing.
                core::mem::forget(core::mem::replace(&mut layers[index], layer));
                index += 1;
            }
            Self { slab, layers }
        }
    }

    /// The first word of each layer in the slab.
    #[cfg(feature = "alloc")]
    pub fn starts(&self) -> [u32; MAX_LAYERS] {
        #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
        return self.layers;
        #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
        core::array::from_fn(|index| (self.slab.len() - self.layers[index].words().len()) as u32)
    }

    /// Finds and checks the weights, and adds up what buffers they need; `None` if the slab is refused.
    #[inline(never)]
    pub fn load(&mut self, header: &Fields<'a>, slab: &mut Slab<'a>, buffers: &mut StateLayout) -> Option<()> {
        self.slab = slab.words()?;
        let mut sum = Buffers::new(buffers, &header.config, &header.weights);
        (0..header.weights.len()).try_for_each(|index| self.load_layer(header, index, slab, &mut sum))
    }

    // By itself: what surrounds it would fill the registers.
    #[inline(never)]
    fn load_layer(
        &mut self,
        header: &Fields<'a>,
        index: usize,
        slab: &mut Slab<'a>,
        sum: &mut Buffers<'_>,
    ) -> Option<()> {
        let (config, format) = (&header.config, *header.weights.get(index)?);
        if index > 0 {
            if format.reads_tokens() {
                return slab.refuse(FormatError::UnsupportedFormat);
            }
        } else if !format.reads_tokens() {
            // The embedding stands before the first layer.
            if has_lowest(slab.take(config.vocab_size() * config.n_embd())?) {
                return slab.refuse(FormatError::BadValue { layer: 0 });
            }
        }
        let start = slab.taken() / size_of::<u32>();
        let shape = shape(header, index);
        let linear = LinearInt::new(config, header.layout, format, shape.fan_out, self.slab.get(start..)?);
        let stored = Stored::new(&linear, &shape);
        let input_words = stored.input_words();
        stored.take(index, slab)?;
        sum.add(&shape, input_words, index == config.levels().len());
        #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
        let layer = linear.keep(input_words);
        #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
        let layer = start as u32;
        *self.layers.get_mut(index)? = layer;
        Some(())
    }

    /// The layer of this index, which has so many rows.
    #[cfg(any(kernel = "v6m", kernel = "v7m", kernel = "dsp"))]
    #[inline]
    fn linear(&self, header: &Fields<'_>, index: usize, fan_out: usize) -> LinearInt<'a> {
        let format = header.weights.get(index).copied().unwrap_or(WeightFormat::Int8);
        let start = self.layers.get(index).map_or(0, |&start| start as usize);
        LinearInt::new(&header.config, header.layout, format, fan_out, self.slab.get(start..).unwrap_or(&[]))
    }

    /// The layer of this index.
    #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
    #[inline]
    fn linear(&self, _: &Fields<'_>, index: usize, _: usize) -> &LinearInt<'a> {
        static NONE: LinearInt<'static> = LinearInt::none();
        self.layers.get(index).unwrap_or(&NONE)
    }

    /// The embedding, and the numbers of the levels with those of the output layer behind them.
    #[cfg(feature = "alloc")]
    pub fn unpack(&self, header: &Fields<'_>) -> (&'a [i8], alloc::vec::Vec<Unpacked>) {
        let config = &header.config;
        let layers = (0..header.weights.len()).map(|index| {
            let shape = shape(header, index);
            Stored::new(&self.linear(header, index, shape.fan_out).clone(), &shape).unpack()
        });
        let embedding = if reads_tokens(&header.weights) { 0 } else { config.vocab_size() * config.n_embd() };
        (&bytemuck::cast_slice(self.slab)[..embedding], layers.collect())
    }

    /// What level 0 gives for every pair of characters, `[vocab_size][vocab_size][width_out]`; `None` if it fuses more than two.
    #[cfg(feature = "alloc")]
    pub fn pairs(&self, header: &Fields<'_>) -> Option<alloc::vec::Vec<i8>> {
        let config = &header.config;
        if shape(header, 0).positions != 2 {
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
        let shape = shape(header, 0);
        let linear = &self.linear(header, 0, shape.fan_out);
        let mut words = alloc::vec![0; Stored::new(linear, &shape).input_words()];
        let (mut input, mut value) = (Input::new(linear, &mut words), alloc::vec![0; shape.width]);
        for (position, &token) in tokens.iter().enumerate() {
            self.embed(header, token, &mut value);
            input.push(&value, position + 1 == tokens.len());
        }
        let mut activations = alloc::vec![0; padded(shape.fan_out)];
        linear.forward_level(&input, &mut activations);
        activations.truncate(shape.fan_out / header.config.activation().rows_per_value());
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
        let width = self.embed(header, token, buffers.hidden);
        let mut walk = Walk { index: 0, width, start: 0, dilation: 1 };
        for level in header.config.levels() {
            self.layer(header, buffers, &mut walk, Some(level), reset);
            observe(walk.index - 1, part(buffers.hidden, 0, walk.width));
        }
        self.layer(header, buffers, &mut walk, None, reset);
    }

    /// The next layer: a level takes what is `hidden`, and leaves there what it gives; the output layer, which is no level, gives the
    /// logits.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn layer(
        &self,
        header: &Fields<'_>,
        buffers: &mut BuffersInt<'_>,
        walk: &mut Walk,
        level: Option<&Level>,
        reset: bool,
    ) {
        let (config, &mut Walk { index, width, start, dilation }) = (&header.config, &mut *walk);
        let BuffersInt { rings, oldest, newest_at, input: words, hidden, before_logits } = buffers;
        let (positions, fan_out) = match level {
            Some(level) => (level.fuse.into(), usize::from(level.width) * config.activation().rows_per_value()),
            None => (if config.skip() { config.levels().len() } else { 1 }, config.vocab_size()),
        };
        let linear = &self.linear(header, index, fan_out);
        // The sizes follow from the same Config as the buffers, so that none is ever short.
        let room = if level.is_none() { *before_logits } else { words.len() };
        let Some((words, logits)) = words.split_at_mut_checked(room) else { return };
        if level.is_none()
            && positions == 1
            && let Some(input) = hidden.get_mut(..width).and_then(|hidden| Input::of(linear, hidden))
        {
            return linear.forward(&input, bytemuck::cast_slice_mut(logits));
        }
        let ring = Ring { start, width, len: (positions - 1) * dilation };
        let first = if reset { 0 } else { oldest.get(index).map_or(0, |&oldest| usize::from(oldest)) };
        let newest = part(hidden, 0, width);
        let mut input = Input::new(linear, words);
        let (mut slot, mut at) = (first, ring.entry(first));
        if EXCHANGES
            && !reset
            && level.is_some()
            && positions == 2
            && input.exchange(newest, rings.get_mut(at..).unwrap_or(&mut []))
        {
            slot = ring.behind(slot, 1);
        } else {
            for position in 1..positions {
                let older = match (level, reset) {
                    // As if the level had only ever seen this.
                    (Some(_), true) => newest,
                    (Some(_), false) => part(rings, ring.entry(slot), width),
                    // What a level gave: the newest entry in the ring of the one above it.
                    (None, _) => {
                        let below = config.levels().get(position - 1).map_or(0, |level| level.width.into());
                        part(rings, newest_at.get(position).copied().unwrap_or(0), below)
                    }
                };
                input.push(older, false);
                slot = ring.behind(slot, dilation);
            }
            input.push(newest, true);
            if level.is_some() {
                slot = first;
                for _ in 0..if reset { ring.len } else { 1 } {
                    at = ring.entry(slot);
                    copy_i8(newest, rings.get_mut(at..).unwrap_or(&mut []));
                    slot = ring.behind(slot, 1);
                }
            }
        }
        let Some(level) = level else { return linear.forward(&input, bytemuck::cast_slice_mut(logits)) };
        newest_at.get_mut(index).into_iter().for_each(|newest_at| *newest_at = at);
        oldest.get_mut(index).into_iter().for_each(|oldest| *oldest = slot as u16);
        *walk = Walk {
            index: index + 1,
            width: level.width.into(),
            start: start + ring_bytes(ring.len, width),
            dilation: dilation * positions,
        };
        linear.forward_level(&input, hidden);
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
}

/// Whether level 0 is a table, and reads characters themselves.
fn reads_tokens(formats: &[WeightFormat]) -> bool {
    formats.first().is_some_and(|format| format.reads_tokens())
}

/// Values that level 0 reads of a character.
fn width_in(config: &Config, formats: &[WeightFormat]) -> usize {
    if reads_tokens(formats) { 1 } else { config.n_embd() }
}

/// Whether a level of two positions moves both at once, where it can: with a vector unit it pays.
const EXCHANGES: bool = cfg!(any(kernel = "mve", feature = "std"));

/// The shape of a layer.
#[cfg_attr(kernel = "mve", inline(always))]
fn shape<'c>(header: &'c Fields<'_>, index: usize) -> LinearShape<'c> {
    header.config.linear_shape(index, width_in(&header.config, &header.weights))
}

/// How far a step has come.
struct Walk {
    /// Of the next layer.
    index: usize,
    /// Values that are hidden.
    width: usize,
    /// Where the next level's ring begins.
    start: usize,
    /// The distance of what the next level fuses.
    dilation: usize,
}

/// Bytes of a ring. Whole words, so that every ring begins with one.
fn ring_bytes(len: usize, width: usize) -> usize {
    round_up(len * width, size_of::<u32>())
}

/// The token, or the boundary in place of one outside the vocabulary.
fn known(config: &Config, token: Token) -> Token {
    if usize::from(token) < config.vocab_size() { token } else { BOUNDARY }
}

/// The buffers of a network, layer by layer.
///
/// The logits lie at the end of the input: when they are computed, no level needs it any more.
struct Buffers<'b> {
    sum: &'b mut StateLayout,
    dilation: usize,
}

impl<'b> Buffers<'b> {
    fn new(sum: &'b mut StateLayout, config: &Config, formats: &[WeightFormat]) -> Self {
        // Outputs in whole blocks of rows, whatever the layout: kernels never have to stop in the middle of one.
        let (logits, hidden) = (padded(config.vocab_size()), width_in(config, formats));
        *sum = StateLayout { logits, input: 0, rings: 0, hidden };
        Self { sum, dilation: 1 }
    }

    /// Adds the next layer, whose input takes so many words.
    fn add(&mut self, shape: &LinearShape<'_>, mut input_words: usize, is_output: bool) {
        if is_output {
            input_words += self.sum.logits;
        } else {
            self.sum.rings += ring_bytes((shape.positions - 1) * self.dilation, shape.width);
            self.sum.hidden = self.sum.hidden.max(padded(shape.fan_out));
            self.dilation *= shape.positions;
        }
        self.sum.input = self.sum.input.max(input_words);
    }
}

/// The buffers of a network that is to be written.
#[cfg(feature = "alloc")]
pub(crate) fn state_layout(config: &Config, layout: Layout, formats: &[WeightFormat]) -> StateLayout {
    let mut layout_of_state = StateLayout::NONE;
    let mut sum = Buffers::new(&mut layout_of_state, config, formats);
    for (index, &format) in formats.iter().enumerate().take(config.levels().len() + 1) {
        let shape = config.linear_shape(index, width_in(config, formats));
        let linear = LinearInt::new(config, layout, format, shape.fan_out, &[]);
        sum.add(&shape, Stored::new(&linear, &shape).input_words(), index == config.levels().len());
    }
    layout_of_state
}
