//! The network in integers; see [`crate::quant`].

#[cfg(keeps_layers)]
#[path = "net_int/kept.rs"]
mod layers;
#[cfg(not(keeps_layers))]
#[path = "net_int/made.rs"]
mod layers;

use self::layers::{Layers, Linear};
use super::numbers::{self, Layer, Numbers, Scratch};
use super::state::{Buffers, StateMut};
use super::walk::Walk;
use crate::config::{Config, LinearShape, StateLayout};
use crate::error::{FormatError, StateError};
use crate::format::header::Fields;
use crate::format::slab::Slab;
use crate::format::{Layout, Precision, WeightFormat};
use crate::kernels::copy_i8;
#[cfg(feature = "alloc")]
use crate::layers::IntegerLayer;
use crate::layers::{Input, LinearInt, Stored, has_lowest};
use crate::limits::{MAX_LAYERS, MAX_LEVELS};
use crate::rows::{padded, part, round_up};
use crate::vocab::{BOUNDARY, Token};

/// Places of the weights. Their shapes follow from the header, which every method receives and which must always be the
/// same.
#[derive(Clone, Debug)]
pub(crate) struct NetInt<'a> {
    /// All weights: embedding (unless level 0 is a table), levels, output layer.
    slab: &'a [u32],
    layers: Layers<'a>,
}

impl<'a> NetInt<'a> {
    /// Returns a network without weights.
    pub const fn none() -> Self {
        Self { slab: &[], layers: Layers::none() }
    }

    /// Returns a network whose weights were checked when the program was built, from the shape and the first word of
    /// each layer.
    pub const fn built_in(
        slab: &'a [u32],
        config: &Config,
        layout: Layout,
        formats: &[WeightFormat],
        shapes: &[LinearShape<'_>; MAX_LAYERS],
        starts: &[u32; MAX_LAYERS],
    ) -> Self {
        Self { slab, layers: Layers::built_in(slab, config, layout, formats, shapes, starts) }
    }

    /// Returns the first word of each layer in the slab.
    #[cfg(feature = "alloc")]
    pub fn starts(&self) -> [u32; MAX_LAYERS] {
        self.layers.starts(self.slab)
    }

    /// Finds and checks the weights, and adds up the buffers that they need. Returns `None` if the slab is refused.
    #[inline(never)]
    pub fn load(&mut self, header: &Fields<'a>, slab: &mut Slab<'a>, buffers: &mut StateLayout) -> Option<()> {
        self.slab = slab.words()?;
        let mut sum = Sizes::new(buffers, &header.config, &header.weights);
        (0..header.weights.len()).try_for_each(|index| self.load_layer(header, index, slab, &mut sum))
    }

    // Not inlined: the code around it would fill the registers.
    #[inline(never)]
    fn load_layer(
        &mut self,
        header: &Fields<'a>,
        index: usize,
        slab: &mut Slab<'a>,
        sum: &mut Sizes<'_>,
    ) -> Option<()> {
        let (config, format) = (&header.config, *header.weights.get(index)?);
        if !is_allowed(header, index, format) {
            return slab.refuse(FormatError::UnsupportedFormat);
        }
        if index == 0 && !format.reads_tokens() {
            // The embedding is before the first layer.
            if has_lowest(slab.take(config.vocab_size() * config.n_embd())?) {
                return slab.refuse(FormatError::BadValue { layer: 0 });
            }
        }
        let start = slab.taken() / size_of::<u32>();
        let shape = shape(header, index);
        let linear = LinearInt::new(config, header.layout, format, shape.fan_out, self.slab.get(start..)?);
        let stored = Stored::new(&linear, &shape);
        let (input_words, columns) = (stored.input_words(), stored.columns());
        stored.take(index, slab)?;
        sum.add(&shape, input_words, index == config.levels().len());
        self.layers.set(index, start, linear, columns)
    }

    /// Returns layer `index`, which has `fan_out` rows.
    #[inline]
    fn linear(&self, header: &Fields<'_>, index: usize, fan_out: usize) -> Linear<'_> {
        self.layers.get(self.slab, header, index, fan_out)
    }

    /// Returns the output of a level 0 in [`WeightFormat::Pairs`].
    #[inline]
    fn pair(&self, header: &Fields<'_>, pair: [Token; PAIR]) -> &[i8] {
        let width = header.config.levels().first().map_or(0, |level| usize::from(level.width));
        self.linear(header, 0, width * header.config.activation().rows_per_value()).pair(pair)
    }

    /// Returns the embedding, and the numbers of all levels and of the output layer.
    #[cfg(feature = "alloc")]
    pub fn unpack(&self, header: &Fields<'_>) -> (&'a [i8], alloc::vec::Vec<IntegerLayer>) {
        let config = &header.config;
        let layers = (0..header.weights.len()).map(|index| {
            let shape = shape(header, index);
            Stored::new(&self.linear(header, index, shape.fan_out).clone(), &shape).unpack()
        });
        let embedding = if reads_tokens(&header.weights) { 0 } else { config.vocab_size() * config.n_embd() };
        (&bytemuck::cast_slice(self.slab)[..embedding], layers.collect())
    }

    /// Returns the output of level 0 for every pair of characters, `[vocab_size][vocab_size][width_out]`, or `None` if
    /// the level does not fuse two.
    #[cfg(feature = "alloc")]
    pub fn pairs(&self, header: &Fields<'_>) -> Option<alloc::vec::Vec<i8>> {
        let config = &header.config;
        if shape(header, 0).positions != 2 {
            return None;
        }
        // No truncation: there are at most 256 tokens.
        let tokens = || 0..config.vocab_size() as u16;
        let pairs = tokens().flat_map(|older| tokens().map(move |newer| [older as Token, newer as Token]));
        Some(pairs.flat_map(|pair| self.level_0(header, &pair)).collect())
    }

    /// Returns the output of level 0 for the characters that it fuses, oldest first.
    #[cfg(feature = "alloc")]
    pub fn level_0(&self, header: &Fields<'_>, tokens: &[Token]) -> alloc::vec::Vec<i8> {
        let shape = shape(header, 0);
        let linear = &self.linear(header, 0, shape.fan_out).clone();
        let mut words = alloc::vec![0; Stored::new(linear, &shape).input_words()];
        let (mut input, mut value) = (Input::new(linear, &mut words), alloc::vec![0; shape.width]);
        for (position, &token) in tokens.iter().enumerate() {
            self.embed(header, &token, &mut value);
            input.push(&value, position + 1 == tokens.len());
        }
        let mut activations = alloc::vec![0; padded(shape.fan_out)];
        linear.forward_level(input, &mut activations);
        activations.truncate(shape.fan_out / header.config.activation().rows_per_value());
        activations
    }

    /// Writes the output of level 1, which is stored in halves, to the front of `out`, which has room for whole blocks
    /// of rows. Returns its width.
    #[cfg_attr(kernel = "mve", inline(always))]
    pub fn level_1(&self, header: &Fields<'_>, pairs: [[Token; PAIR]; 2], out: &mut [i8]) -> usize {
        let width = header.config.levels().get(1).map_or(0, |level| level.width.into());
        let rows = width * header.config.activation().rows_per_value();
        self.linear(header, 1, rows).forward_pairs(pairs, out);
        width
    }
}

impl Numbers for NetInt<'_> {
    type Characters = Token;
    type Cell = i8;
    type Word = u32;
    type Logit = i32;
    type Scratch<'s> = Shared<'s>;
    type Layer<'l>
        = Linear<'l>
    where
        Self: 'l;
    /// Alignment of a word, so that every ring begins with a whole word.
    const RING_ALIGN: usize = size_of::<u32>();

    /// Writes the embedding of a character; or, if level 0 is a table, the token itself, as the same bits of a signed
    /// number. A token outside the vocabulary counts as the boundary.
    #[inline]
    fn embed(&self, header: &Fields<'_>, &token: &Token, out: &mut [i8]) -> usize {
        let token = known(header, token);
        if reads_tokens(&header.weights) {
            out.first_mut().into_iter().for_each(|out| *out = token as i8);
            return 1;
        }
        let width = header.config.n_embd();
        copy_i8(part(bytemuck::cast_slice(self.slab), usize::from(token) * width, width), out);
        width
    }

    #[inline]
    fn layer(&self, header: &Fields<'_>, index: usize, fan_out: usize) -> Linear<'_> {
        self.linear(header, index, fan_out)
    }

    /// Looks up levels 0 and 1 if level 1 is stored in halves. The ring of level 0 holds the last character, that of
    /// level 1 the last two pairs of characters.
    #[inline]
    fn look_up(
        &self,
        header: &Fields<'_>,
        &token: &Token,
        start: bool,
        buffers: &mut Buffers<'_, Self>,
        observe: &mut impl FnMut(usize, &[i8]),
    ) -> Option<Walk> {
        if !has_halves(&header.weights) {
            return None;
        }
        let token = known(header, token);
        let Buffers { rings, oldest: [_, oldest, ..], newest_at: [_, newest_at, ..], hidden, .. } = buffers;
        let (ring_0, rest) = rings.split_first_chunk_mut::<WORD>()?;
        let (ring_1, _) = rest.split_first_chunk_mut::<WORD>()?;
        let ([last, ..], ring_1) = (bytemuck::cast_mut::<_, [Token; WORD]>(ring_0), bytemuck::cast_mut(ring_1));
        let [first, second]: &mut [[Token; PAIR]; 2] = ring_1;
        if start {
            (*last, *first, *second) = (token, [token; PAIR], [token; PAIR]);
        }
        let newer = [core::mem::replace(last, token), token];
        let is_second = *oldest & 1 != 0;
        let slot = if is_second { second } else { first };
        let older = core::mem::replace(slot, newer);
        (*newest_at, *oldest) = (if is_second { WORD + PAIR } else { WORD }, u16::from(!is_second));
        observe(0, self.pair(header, newer));
        let width = self.level_1(header, [older, newer], hidden);
        observe(1, part(hidden, 0, width));
        Some(Walk { index: 2, width, ring_start: 2 * WORD, dilation: 2 * PAIR })
    }

    #[inline]
    fn cells_of(&self, header: &Fields<'_>, index: usize, values: usize) -> usize {
        if index == 0 && has_halves(&header.weights) { PAIR } else { values }
    }

    #[inline]
    fn output_of<'c>(&'c self, header: &Fields<'_>, index: usize, cells: &'c [i8]) -> &'c [i8] {
        if let &[older, newer] = cells
            && index == 0
            && has_halves(&header.weights)
        {
            return self.pair(header, [older as Token, newer as Token]);
        }
        cells
    }

    #[inline]
    fn copy(from: &[i8], to: &mut [i8]) {
        copy_i8(from, to);
    }
}

impl Layer for LinearInt<'_> {
    type Cell = i8;
    type Word = u32;
    type Logit = i32;
    type Input<'x> = Input<'x>;

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn input<'x>(&self, words: &'x mut [u32]) -> Input<'x> {
        Input::new(self, words)
    }

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn exchange<'x>(&self, newest: &[i8], slot: &mut [i8], words: &'x mut [u32]) -> Result<Input<'x>, &'x mut [u32]> {
        if layers::EXCHANGES { Input::exchange(self, newest, slot, words) } else { Err(words) }
    }

    #[inline]
    fn input_of<'x>(&self, x: &'x mut [i8], words: &'x mut [u32]) -> Input<'x> {
        if Input::reads(self, x.len()) {
            return Input::of(self, x);
        }
        let mut input = Input::new(self, words);
        input.push(x, true);
        input
    }

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn level(&self, input: Input<'_>, out: &mut [i8]) {
        self.forward_level(input, out);
    }

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn output(&self, input: Input<'_>, logits: &mut [i32]) {
        self.forward(input, logits);
    }
}

impl numbers::Input for Input<'_> {
    type Cell = i8;

    #[inline]
    fn push(&mut self, x: &[i8], last: bool) {
        self.push(x, last);
    }
}

impl<'s> Buffers<'s, NetInt<'_>> {
    /// Splits a state into buffers.
    pub fn new(layout: StateLayout, state: StateMut<'s>) -> Result<Self, StateError> {
        let too_small = StateError::TooSmall { need: layout.words_int(), have: state.words.len() };
        let (words, rest) = state.words.split_at_mut_checked(layout.input).ok_or(too_small)?;
        let bytes: &mut [i8] = bytemuck::try_cast_slice_mut(rest).map_err(|_| too_small)?;
        let (rings, bytes) = bytes.split_at_mut_checked(layout.rings).ok_or(too_small)?;
        let (hidden, _) = bytes.split_at_mut_checked(layout.hidden).ok_or(too_small)?;
        let scratch = Shared { words, logits_at: layout.input - layout.logits };
        Ok(Self { rings, oldest: state.oldest, newest_at: [0; MAX_LEVELS], scratch, hidden })
    }
}

/// Returns whether level 0 is looked up, that is, reads characters instead of embeddings.
fn reads_tokens(formats: &[WeightFormat]) -> bool {
    formats.first().is_some_and(|format| format.reads_tokens())
}

/// Number of characters in an entry of the ring of a level 1 that is stored in halves.
const PAIR: usize = 2;
/// Bytes of each of the rings of levels 0 and 1 if level 1 is stored in halves: one character, or two pairs.
const WORD: usize = size_of::<u32>();

/// Returns whether level 1 is stored in halves.
#[inline]
fn has_halves(formats: &[WeightFormat]) -> bool {
    WeightFormat::Halves.is_built() && formats.get(1) == Some(&WeightFormat::Halves)
}

/// Returns the token, or the boundary if the token is not in the vocabulary.
#[inline]
fn known(header: &Fields<'_>, token: Token) -> Token {
    if usize::from(token) < header.config.vocab_size() { token } else { BOUNDARY }
}

/// Returns whether a layer may have this format, considering its place.
fn is_allowed(header: &Fields<'_>, index: usize, format: WeightFormat) -> bool {
    if WeightFormat::Halves.is_built() && format == WeightFormat::Halves {
        let is_level = index < header.config.levels().len();
        return index == 1 && is_level && header.weights.first() == Some(&WeightFormat::Pairs);
    }
    index == 0 || !format.reads_tokens()
}

/// Returns the number of values that level 0 reads per character.
fn width_in(config: &Config, formats: &[WeightFormat]) -> usize {
    if reads_tokens(formats) { 1 } else { config.n_embd() }
}

/// Buffer for both input and logits: when the logits are computed, no level needs its input any more.
pub(crate) struct Shared<'s> {
    pub words: &'s mut [u32],
    /// First word of the logits.
    pub logits_at: usize,
}

impl Scratch for Shared<'_> {
    type Word = u32;
    type Logit = i32;

    #[inline]
    fn input(&mut self) -> &mut [u32] {
        self.words
    }

    #[inline]
    fn input_and_logits(&mut self) -> (&mut [u32], &mut [i32]) {
        let (input, logits) = self.words.split_at_mut_checked(self.logits_at).unwrap_or_default();
        (input, bytemuck::cast_slice_mut(logits))
    }

    #[inline]
    fn logits(&self) -> &[i32] {
        bytemuck::cast_slice(self.words.get(self.logits_at..).unwrap_or(&[]))
    }

    #[inline]
    fn logits_mut(&mut self) -> &mut [i32] {
        bytemuck::cast_slice_mut(self.words.get_mut(self.logits_at..).unwrap_or(&mut []))
    }
}

/// Returns whether an integer model of this precision may have layers in these formats; `false` for f32.
pub(crate) fn allows(precision: Precision, weights: &[WeightFormat]) -> bool {
    match precision {
        Precision::F32 => false,
        Precision::Int8 => !weights.contains(&WeightFormat::Int4),
        Precision::Int4 => precision.is_built(),
    }
}

/// Returns the shape of a layer.
fn shape<'c>(header: &'c Fields<'_>, index: usize) -> LinearShape<'c> {
    shape_of(&header.config, &header.weights, index)
}

/// Returns the shape of a layer, from the formats of all layers.
fn shape_of<'c>(config: &'c Config, formats: &[WeightFormat], index: usize) -> LinearShape<'c> {
    let shape = config.linear_shape(index, width_in(config, formats));
    // Halves are looked up by characters.
    if index == 1 && has_halves(formats) { LinearShape { width: PAIR, ..shape } } else { shape }
}

/// Returns the bytes of a ring. Whole words, so that every ring begins at one.
fn ring_bytes(len: usize, width: usize) -> usize {
    round_up(len * width, size_of::<u32>())
}

/// Sum of the sizes of a network's buffers, layer by layer.
struct Sizes<'b> {
    sum: &'b mut StateLayout,
    dilation: usize,
}

impl<'b> Sizes<'b> {
    fn new(sum: &'b mut StateLayout, config: &Config, formats: &[WeightFormat]) -> Self {
        // Outputs are whole blocks of rows in every layout, so that kernels never have to stop within a block.
        let (logits, hidden) = (padded(config.vocab_size()), width_in(config, formats));
        *sum = StateLayout { logits, input: 0, rings: 0, hidden };
        Self { sum, dilation: 1 }
    }

    /// Adds the next layer, whose input takes `input_words` words.
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

/// Returns the buffers of a network that is to be written.
#[cfg(feature = "alloc")]
pub(crate) fn state_layout(config: &Config, layout: Layout, formats: &[WeightFormat]) -> StateLayout {
    let mut layout_of_state = StateLayout::NONE;
    let mut sum = Sizes::new(&mut layout_of_state, config, formats);
    for (index, &format) in formats.iter().enumerate().take(config.levels().len() + 1) {
        let shape = shape_of(config, formats, index);
        let linear = LinearInt::new(config, layout, format, shape.fan_out, &[]);
        sum.add(&shape, Stored::new(&linear, &shape).input_words(), index == config.levels().len());
    }
    layout_of_state
}
