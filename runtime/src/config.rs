//! The dimensions of a model, their limits, and the sizes that follow from them.
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
//! `fan_out` counts rows of the matrix. [`Activation::Tanh`] makes one value of each row, [`Activation::Gated`] one of
//! two rows:
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
//! With [`Config::skip`] the output layer reads the newest values of all levels. The newest values of level l are also
//! the newest entry in the ring of level l + 1, so skip connections cost no memory.

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::FormatError;
use crate::limits::{Checks, Dimension, MAX_LEVELS, Violation};
use crate::rows::{padded, round_up};

/// One level: fuses `fuse` neighbours (`FlattenConsecutive`), then applies a linear layer to `width` values and an
/// activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Level {
    /// Number of consecutive positions that become one, 2 to [`crate::limits::MAX_FUSE`].
    pub fuse: u8,
    /// Values per position after the level, 1 to [`crate::limits::MAX_WIDTH`] divided by
    /// [`Activation::rows_per_value`].
    pub width: u16,
}

/// Dimensions of a model. [`Config::new`] checks them, so every size derived from them fits in a `usize`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    pub(crate) vocab_size: u16,
    pub(crate) n_embd: u16,
    pub(crate) levels: heapless::Vec<Level, MAX_LEVELS, u8>,
    pub(crate) activation: Activation,
    pub(crate) skip: bool,
}

/// Sizes of one level, as the kernels need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LevelShape {
    /// Number of consecutive positions fused.
    pub fuse: usize,
    /// Values per input position: `n_embd`, or the width of the level below.
    pub width_in: usize,
    /// Columns of the weight matrix: `fuse * width_in`.
    pub fan_in: usize,
    /// Rows of the weight matrix: [`Activation::rows_per_value`] for each of `width_out`.
    pub fan_out: usize,
    /// Values per position after the activation.
    pub width_out: usize,
    /// Distance in characters between two inputs: the product of the fuse factors of the levels below.
    pub dilation: usize,
    /// Older inputs that must be kept: `(fuse - 1) * dilation`.
    pub ring_len: usize,
}

impl Config {
    /// Makes a configuration, without skip connections, and checks its dimensions.
    ///
    /// # Errors
    /// [`FormatError::BadDimension`] with the first dimension that is outside its limits.
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
        // No truncation: the sizes were checked.
        let config = Self { vocab_size: vocab_size as u16, n_embd: n_embd as u16, activation, levels, skip: false };
        config.check()?;
        Ok(config)
    }

    /// Configuration that [`Self::check`] refuses.
    pub(crate) const NONE: Self =
        Self { vocab_size: 0, n_embd: 0, activation: Activation::Tanh, levels: heapless::Vec::new(), skip: false };

    /// Checks that every dimension except the size of the vocabulary is within its limits, or returns the first that is
    /// not.
    #[inline(never)]
    pub(crate) fn check(&self) -> Result<(), Violation> {
        let width_of_level = Dimension::width_of_level(self.activation);
        let mut checks = Checks::new().and(Dimension::NEmbd, self.n_embd()).and(Dimension::Levels, self.levels.len());
        let (mut width_in, mut block_size) = (self.n_embd(), 1_usize);
        for level in &self.levels {
            let (fuse, width) = (usize::from(level.fuse), usize::from(level.width));
            // No wrap: the block size leaves its limits before it can.
            block_size = block_size.wrapping_mul(fuse);
            checks = checks.and(Dimension::Fuse, fuse).and(width_of_level, width);
            checks = checks.and(Dimension::FanIn, fuse * width_in).and(Dimension::BlockSize, block_size);
            width_in = width;
        }
        checks.done()
    }

    /// Returns the same configuration with or without skip connections; see [`Config::skip`].
    #[must_use]
    pub fn with_skip(self, skip: bool) -> Self {
        Self { skip, ..self }
    }

    /// Returns the number of characters in the vocabulary, boundary included.
    pub const fn vocab_size(&self) -> usize {
        self.vocab_size as usize
    }

    /// Returns the number of values per character embedding.
    pub fn n_embd(&self) -> usize {
        self.n_embd.into()
    }

    /// Returns the activation of every level.
    pub const fn activation(&self) -> Activation {
        self.activation
    }

    /// Returns the levels, from the characters up.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Returns whether the output layer reads the outputs of all levels, lowest first, instead of only the last
    /// level's.
    ///
    /// These are WaveNet's skip connections, except that WaveNet adds the outputs and this model concatenates them.
    pub fn skip(&self) -> bool {
        self.skip
    }

    /// Returns the context length in characters: the product of the fuse factors.
    pub fn block_size(&self) -> usize {
        self.levels.iter().map(|level| usize::from(level.fuse)).product()
    }

    /// Returns the number of values that the output layer reads: the width of the last level, or with skip connections
    /// the sum of all widths.
    pub fn output_fan_in(&self) -> usize {
        if self.skip { self.levels.iter().map(|level| usize::from(level.width)).sum() } else { self.n_hidden() }
    }

    /// Returns the shape of the output layer, which has a position for each level that it reads.
    pub fn output_shape(&self) -> LinearShape<'_> {
        self.linear_shape(self.levels.len(), self.n_embd())
    }

    /// Returns the shape of a linear layer, counted from the characters up; the output layer is the last. Level 0 reads
    /// `width_0` values of each character.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    pub(crate) fn linear_shape(&self, index: usize, width_0: usize) -> LinearShape<'_> {
        LinearShape::of(&self.levels, self.activation, self.skip, self.vocab_size(), index, width_0)
    }

    /// Returns the width of the last level.
    pub fn n_hidden(&self) -> usize {
        self.levels.last().map_or(self.n_embd(), |level| level.width.into())
    }

    /// Returns an iterator over the sizes of the levels, from the characters up.
    #[inline]
    pub fn shapes(&self) -> Shapes<'_> {
        let rows_per_value = self.activation.rows_per_value();
        Shapes { levels: self.levels.iter(), rows_per_value, width_in: self.n_embd(), dilation: 1 }
    }

    /// Returns the number of parameters of the folded network: embedding, weights and biases.
    pub fn parameters(&self) -> usize {
        let levels: usize = self.shapes().map(|s| s.fan_in * s.fan_out + s.fan_out).sum();
        self.vocab_size() * self.n_embd() + levels + (self.output_fan_in() + 1) * self.vocab_size()
    }

    /// Returns the multiply-accumulates per generated character: one node per level ([`crate::Stream`]) and the output
    /// layer.
    ///
    /// The multiplications of activations are not counted.
    pub fn macs_streaming(&self) -> usize {
        let levels: usize = self.shapes().map(|s| s.fan_in * s.fan_out).sum();
        levels + self.output_fan_in() * self.vocab_size()
    }

    /// Returns the sizes of the f32 path's buffers in a [`crate::State`].
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

    /// Returns an iterator over the shapes of all linear layers: the levels from the characters up, then the output
    /// layer.
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
            // Unspecified for a level that fuses nothing, which is refused.
            ring_len: fuse.wrapping_sub(1).wrapping_mul(dilation),
        })
    }
}

impl LevelShape {
    /// Returns the shape of the level's linear layer.
    #[inline]
    pub fn linear(self) -> LinearShape<'static> {
        LinearShape::new(self.fuse, self.width_in, self.fan_out)
    }
}

/// Sizes of a linear layer with `positions` concatenated inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinearShape<'c> {
    /// Number of inputs fused.
    pub positions: usize,
    /// Values per input, except for inputs listed in `levels`.
    pub width: usize,
    /// Levels that the output layer reads with skip connections, one for each input. Empty for every other layer.
    pub levels: &'c [Level],
    /// Rows of the weight matrix.
    pub fan_out: usize,
}

impl<'c> LinearShape<'c> {
    /// Returns the shape of a layer with `positions` inputs of `width` values each.
    #[inline]
    pub const fn new(positions: usize, width: usize, fan_out: usize) -> Self {
        Self { positions, width, levels: &[], fan_out }
    }

    /// Returns the shape of a layer from the parts of a [`Config`]; see [`Config::linear_shape`]. Unlike that function,
    /// it can run at compile time.
    #[inline]
    pub(crate) const fn of(
        levels: &'c [Level],
        activation: Activation,
        skip: bool,
        vocab_size: usize,
        index: usize,
        width_0: usize,
    ) -> Self {
        let width = if index > 0 && index <= levels.len() { levels[index - 1].width as usize } else { width_0 };
        if index < levels.len() {
            let rows = levels[index].width as usize * activation.rows_per_value();
            Self::new(levels[index].fuse as usize, width, rows)
        } else if skip {
            Self { positions: levels.len(), width, levels, fan_out: vocab_size }
        } else {
            Self::new(1, width, vocab_size)
        }
    }

    /// Returns the number of values of an input.
    #[inline]
    pub const fn width_of(&self, position: usize) -> usize {
        if position < self.levels.len() { self.levels[position].width as usize } else { self.width }
    }

    /// Returns the first column of an input, where `padded` pads the width of each input before it.
    #[inline]
    pub fn start(&self, position: usize, padded: impl Fn(usize) -> usize) -> usize {
        (0..position).map(|position| padded(self.width_of(position))).sum()
    }

    /// Returns the number of columns of the weight matrix.
    pub fn fan_in(&self) -> usize {
        self.columns(1, 1)
    }

    /// Returns the number of columns if each input is padded to a multiple of `part`, and then the sum to a multiple of
    /// `group`. Both are powers of two.
    // Not inlined, so that small chips have the code once.
    #[inline(never)]
    pub const fn columns(&self, part: usize, group: usize) -> usize {
        let (mut columns, mut position) = (0, 0);
        while position < self.positions {
            columns += round_up(self.width_of(position), part);
            position += 1;
        }
        round_up(columns, group)
    }
}

/// Sizes of the buffers of a [`crate::State`], in the order of their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StateLayout {
    /// Logits, padded for the kernel: `f32`, or `i32` at the end of the words of `input`.
    pub logits: usize,
    /// Words of the input of the current layer: `f32` values side by side, or the form that an integer kernel prepares.
    pub input: usize,
    /// Older inputs of every level: `f32` or `i8`.
    pub rings: usize,
    /// Rows of the level just computed, in whole blocks. After the activation, the first `width_out` values are the
    /// level's output. `f32` or `i8`.
    pub hidden: usize,
}

impl StateLayout {
    /// Layout of no model.
    pub(crate) const NONE: Self = Self { logits: 0, input: 0, rings: 0, hidden: 0 };

    /// Returns the size in 32-bit words, if values are `f32`.
    pub const fn words_f32(&self) -> usize {
        self.logits + self.rings + self.input + self.hidden
    }

    /// Returns the size in 32-bit words, if values are `i8`.
    pub const fn words_int(&self) -> usize {
        self.input + (self.rings + self.hidden).div_ceil(size_of::<u32>())
    }
}
