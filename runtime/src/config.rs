//! The dimensions of a model, what is allowed, and what follows from them.
//!
//! ```text
//! wavenet-128: vocab_size 27, n_embd 24, levels [2 -> 128, 2 -> 128, 2 -> 128]
//!
//!  level  fan_in          fan_out  width_out  dilation  ring entries (the level's older inputs)
//!  0      2 * 24  = 48    128      128        1         (2 - 1) * 1 = 1 of 24
//!  1      2 * 128 = 256   128      128        2         (2 - 1) * 2 = 2 of 128
//!  2      2 * 128 = 256   128      128        4         (2 - 1) * 4 = 4 of 128
//!  output 128             27
//!  block_size = 2 * 2 * 2 = 8 (the receptive field)
//! ```
//!
//! `fan_out` counts rows of the matrix. [`Activation::Tanh`] makes a value of each, [`Activation::Gated`] one of two:
//!
//! ```text
//! gated: vocab_size 27, n_embd 24, levels [2 -> 64, 2 -> 88, 2 -> 104], skip
//!
//!  level  fan_in          fan_out  width_out  dilation  ring entries
//!  0      2 * 24  = 48    128      64         1         1 of 24
//!  1      2 * 64  = 128   176      88         2         2 of 64
//!  2      2 * 88  = 176   208      104        4         4 of 88
//!  output 64 + 88 + 104   27
//! ```
//!
//! With [`Config::skip`] the output layer reads the newest values of all levels. Those of level l are the newest entry in the ring
//! of level l + 1, so that it costs no memory.

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::FormatError;
use crate::limits::{Checks, Dimension, MAX_LEVELS, Violation};
use crate::rows::{padded, round_up};

/// One level: fuse `fuse` neighbours (`FlattenConsecutive`), then a linear layer to `width` values and an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// How many consecutive positions become one, 2 to [`crate::limits::MAX_FUSE`].
    pub fuse: u8,
    /// Values per position after the level, 1 to [`crate::limits::MAX_WIDTH`] divided by [`Activation::rows_per_value`].
    pub width: u16,
}

/// The dimensions of a model. Made by [`Config::new`], which checks them; everything derived from one fits in a `usize`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) vocab_size: u16,
    pub(crate) n_embd: u16,
    pub(crate) levels: heapless::Vec<Level, MAX_LEVELS, u8>,
    pub(crate) activation: Activation,
    pub(crate) skip: bool,
}

/// The sizes of one level, as the kernels need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelShape {
    /// Consecutive positions fused.
    pub fuse: usize,
    /// Values per input position: `n_embd`, or the width of the level below.
    pub width_in: usize,
    /// `fuse * width_in`: columns of the weight matrix.
    pub fan_in: usize,
    /// Rows of the weight matrix: [`Activation::rows_per_value`] for each of `width_out`.
    pub fan_out: usize,
    /// Values per position behind the activation.
    pub width_out: usize,
    /// Distance in characters between two inputs: the product of the fuse factors below.
    pub dilation: usize,
    /// `(fuse - 1) * dilation`: older inputs that must be kept.
    pub ring_len: usize,
}

impl Config {
    /// Checks the dimensions.
    ///
    /// # Errors
    /// [`FormatError::BadDimension`] names the first dimension that lies outside its limits.
    pub fn new(
        vocab_size: usize,
        n_embd: usize,
        activation: Activation,
        levels: &[Level],
    ) -> Result<Self, FormatError> {
        let checks = Checks::new().and(Dimension::VocabSize, vocab_size).and(Dimension::NEmbd, n_embd);
        let checks = checks.and(Dimension::Levels, levels.len());
        checks.done()?;
        let levels = heapless::Vec::from_slice(levels).map_err(|_| FormatError::BadHeader)?;
        // They fit: they were checked.
        let config = Self { vocab_size: vocab_size as u16, n_embd: n_embd as u16, activation, levels, skip: false };
        config.check()?;
        Ok(config)
    }

    /// One that [`Self::check`] refuses.
    pub(crate) const NONE: Self =
        Self { vocab_size: 0, n_embd: 0, activation: Activation::Tanh, levels: heapless::Vec::new(), skip: false };

    /// Whether every dimension but the size of the vocabulary is within its limits, else the first that is not.
    #[inline(never)]
    pub(crate) fn check(&self) -> Result<(), Violation> {
        let width_of_level = Dimension::width_of_level(self.activation);
        let mut checks = Checks::new().and(Dimension::NEmbd, self.n_embd()).and(Dimension::Levels, self.levels.len());
        let (mut width_in, mut block_size) = (self.n_embd(), 1_usize);
        for level in &self.levels {
            let (fuse, width) = (usize::from(level.fuse), usize::from(level.width));
            // Leaves its limits before it can wrap.
            block_size = block_size.wrapping_mul(fuse);
            checks = checks.and(Dimension::Fuse, fuse).and(width_of_level, width);
            checks = checks.and(Dimension::FanIn, fuse * width_in).and(Dimension::BlockSize, block_size);
            width_in = width;
        }
        checks.done()
    }

    /// The same with skip connections, or without: see [`Config::skip`].
    #[must_use]
    pub fn with_skip(self, skip: bool) -> Self {
        Self { skip, ..self }
    }

    /// Characters of the vocabulary, the boundary included.
    pub const fn vocab_size(&self) -> usize {
        self.vocab_size as usize
    }

    /// Values per character embedding.
    pub fn n_embd(&self) -> usize {
        self.n_embd.into()
    }

    /// The activation of every level.
    pub const fn activation(&self) -> Activation {
        self.activation
    }

    /// The levels, from the characters up.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Whether the output layer reads what every level gives, the lowest first, and not the last level's alone: WaveNet's skip
    /// connections, put side by side where WaveNet adds them up.
    pub fn skip(&self) -> bool {
        self.skip
    }

    /// Context length: the product of the fuse factors.
    pub fn block_size(&self) -> usize {
        self.levels.iter().map(|level| usize::from(level.fuse)).product()
    }

    /// The values that the output layer reads: as many as the last level gives, or with skip connections all levels.
    pub fn output_fan_in(&self) -> usize {
        if self.skip { self.levels.iter().map(|level| usize::from(level.width)).sum() } else { self.n_hidden() }
    }

    /// The output layer: a position for each level that it reads.
    pub fn output_shape(&self) -> LinearShape<'_> {
        self.linear_shape(self.levels.len(), self.n_embd())
    }

    /// A linear layer, counted from the characters up, the output layer the last; `width_0` is what level 0 reads of a character.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    pub(crate) fn linear_shape(&self, index: usize, width_0: usize) -> LinearShape<'_> {
        let below = index.checked_sub(1).and_then(|below| self.levels.get(below));
        let width = below.map_or(width_0, |level| level.width.into());
        match self.levels.get(index) {
            Some(level) => {
                let rows = usize::from(level.width) * self.activation.rows_per_value();
                LinearShape::new(level.fuse.into(), width, rows)
            }
            None if self.skip => {
                let levels = &self.levels[..];
                LinearShape { positions: levels.len(), width, levels, fan_out: self.vocab_size() }
            }
            None => LinearShape::new(1, width, self.vocab_size()),
        }
    }

    /// Width of the last level.
    pub fn n_hidden(&self) -> usize {
        self.levels.last().map_or(self.n_embd(), |level| level.width.into())
    }

    /// The sizes of every level, from the characters up.
    #[inline]
    pub fn shapes(&self) -> Shapes<'_> {
        let rows_per_value = self.activation.rows_per_value();
        Shapes { levels: self.levels.iter(), rows_per_value, width_in: self.n_embd(), dilation: 1 }
    }

    /// Parameters of the folded network: embedding, weights and biases.
    pub fn parameters(&self) -> usize {
        let levels: usize = self.shapes().map(|s| s.fan_in * s.fan_out + s.fan_out).sum();
        self.vocab_size() * self.n_embd() + levels + (self.output_fan_in() + 1) * self.vocab_size()
    }

    /// Multiply-accumulates per generated character: every level once ([`crate::Stream`]), and the output layer. What an
    /// activation multiplies is none of them.
    pub fn macs_streaming(&self) -> usize {
        let levels: usize = self.shapes().map(|s| s.fan_in * s.fan_out).sum();
        levels + self.output_fan_in() * self.vocab_size()
    }

    /// Where the f32 path keeps its buffers in a [`crate::State`].
    pub fn state_layout_f32(&self) -> StateLayout {
        let mut layout = StateLayout { logits: padded(self.vocab_size()), input: 0, rings: 0, hidden: self.n_embd() };
        if self.skip {
            layout.input = self.output_shape().fan_in();
        }
        for shape in self.shapes() {
            layout.rings += shape.ring_len * shape.width_in;
            layout.input = layout.input.max(shape.fan_in);
            layout.hidden = layout.hidden.max(padded(shape.fan_out));
        }
        layout
    }

    /// The sizes of every linear layer: the levels from the characters up, then the output layer.
    pub fn linear_shapes(&self) -> impl Iterator<Item = LinearShape<'_>> {
        (0..=self.levels.len()).map(|index| self.linear_shape(index, self.n_embd()))
    }
}

/// Iterator over the shapes of levels; see [`Config::shapes`].
#[derive(Clone, Debug)]
pub struct Shapes<'c> {
    levels: core::slice::Iter<'c, Level>,
    rows_per_value: usize,
    width_in: usize,
    dilation: usize,
}

impl Iterator for Shapes<'_> {
    type Item = LevelShape;

    #[inline]
    fn next(&mut self) -> Option<LevelShape> {
        let level = self.levels.next()?;
        let (fuse, width_out) = (usize::from(level.fuse), usize::from(level.width));
        let Self { width_in, dilation, .. } = *self;
        (self.width_in, self.dilation) = (width_out, dilation * fuse);
        Some(LevelShape {
            fuse,
            width_in,
            fan_in: fuse * width_in,
            fan_out: width_out * self.rows_per_value,
            width_out,
            dilation,
            // Of a level that fuses none, which is refused: of no meaning.
            ring_len: fuse.wrapping_sub(1).wrapping_mul(dilation),
        })
    }
}

impl LevelShape {
    /// The level's linear layer.
    #[inline]
    pub fn linear(self) -> LinearShape<'static> {
        LinearShape::new(self.fuse, self.width_in, self.fan_out)
    }
}

/// The sizes of a linear layer: `positions` inputs side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearShape<'c> {
    /// Inputs fused.
    pub positions: usize,
    /// Values per input, but for those that have a level.
    pub width: usize,
    /// Of the output layer with skip connections: the levels it reads, an input for each. Else empty.
    pub levels: &'c [Level],
    /// Rows of the weight matrix.
    pub fan_out: usize,
}

impl LinearShape<'_> {
    /// `positions` inputs of `width` values each.
    #[inline]
    pub const fn new(positions: usize, width: usize, fan_out: usize) -> Self {
        Self { positions, width, levels: &[], fan_out }
    }

    /// Values of an input.
    #[inline]
    pub fn width_of(&self, position: usize) -> usize {
        self.levels.get(position).map_or(self.width, |level| level.width.into())
    }

    /// The first column of an input, where those before it have their widths `padded`.
    #[inline]
    pub fn start(&self, position: usize, padded: impl Fn(usize) -> usize) -> usize {
        (0..position).map(|position| padded(self.width_of(position))).sum()
    }

    /// Columns of the weight matrix.
    pub fn fan_in(&self) -> usize {
        self.columns(1, 1)
    }

    /// Columns where each input is padded to whole parts, and behind the last one all of them to whole groups. Both are powers of two.
    // Small chips have it once.
    #[inline(never)]
    pub fn columns(&self, part: usize, group: usize) -> usize {
        round_up(self.start(self.positions, |width| round_up(width, part)), group)
    }
}

/// Sizes of the buffers of a [`crate::State`], in the order in which they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLayout {
    /// The logits, padded for the kernel: `f32`; or `i32`, the last words of the input.
    pub logits: usize,
    /// Words of the input of the layer being computed: `f32` side by side, or what an integer kernel makes of it.
    pub input: usize,
    /// The older inputs of every level: `f32` or `i8`.
    pub rings: usize,
    /// The rows of the level just computed, in whole blocks; behind the activation, the first `width_out` are its output. `f32`
    /// or `i8`.
    pub hidden: usize,
}

impl StateLayout {
    /// Of no model.
    pub(crate) const NONE: Self = Self { logits: 0, input: 0, rings: 0, hidden: 0 };

    /// 32-bit words in total where values are `f32`.
    pub const fn words_f32(&self) -> usize {
        self.logits + self.rings + self.input + self.hidden
    }

    /// 32-bit words in total where values are `i8`.
    pub const fn words_int(&self) -> usize {
        self.input + (self.rings + self.hidden).div_ceil(size_of::<u32>())
    }
}
