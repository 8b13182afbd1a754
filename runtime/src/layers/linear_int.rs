//! Linear layers in integers.

mod input;
mod stored;
#[cfg_attr(feature = "std", path = "linear_int/host.rs")]
#[cfg_attr(kernel = "mve", path = "linear_int/mve.rs")]
#[cfg_attr(not(any(feature = "std", kernel = "mve")), path = "linear_int/plain.rs")]
mod unit;

pub use input::Input;
#[cfg(feature = "alloc")]
pub use stored::IntegerLayer;
pub(crate) use stored::{Stored, has_lowest};

use crate::activation::Activation;
use crate::config::Config;
use crate::format::{Layout, Precision, SLAB_ALIGN, WeightFormat};
use crate::kernels::layout::PackedKernel;
use crate::kernels::{self, Out, add_halves, copy_i8, dot_i4, dot_i8, half_words, look_up_pair};
use crate::quant::requantize;
use crate::rows::{part, round_up};
use crate::vocab::Token;
use unit::Kept;

/// Padding of the arrays in the slab: their lengths in words are multiples of this number.
const ARRAY_WORDS: usize = SLAB_ALIGN / size_of::<u32>();
/// True if this build reads weights row after row, which is the layout without a kernel.
const ROW_MAJOR: bool = Layout::RowMajor.is_built();
/// True if this build reads 4-bit weights row after row.
const ROW_MAJOR_I4: bool = ROW_MAJOR && Precision::Int4.is_built();
/// True if this build reads sums in halves.
const HALVES: bool = WeightFormat::Halves.is_built();

/// Linear layer in integers: `acc = W x + bias`, then `requantize(acc, multiplier)` per row.
///
/// It is a view of weights that were checked. Small chips create it for each use; their models store only the place of
/// each layer's weights.
#[derive(Clone, Debug)]
pub struct LinearInt<'n> {
    fan_out: usize,
    /// Activation of the level; unspecified for the output layer.
    activation: Activation,
    vocab_size: usize,
    format: WeightFormat,
    /// Kernel of the weights, if they are packed in blocks.
    kernel: Option<PackedKernel>,
    /// The layer's arrays and the rest of the slab, each padded to four words: bias and multiplier, unless they are
    /// part of the blocks; then the weights.
    words: &'n [u32],
    /// Data that the vector unit keeps for the layer.
    kept: Kept<'n>,
}

/// Bias and multiplier of each row; both slices may be longer than `fan_out`.
#[derive(Clone, Copy, Debug)]
struct Scaling<'a> {
    bias: &'a [i32],
    multiplier: &'a [i32],
}

impl<'n> LinearInt<'n> {
    /// Creates a layer without rows.
    #[cfg(keeps_layers)]
    pub(crate) const fn none() -> Self {
        Self {
            fan_out: 0,
            activation: Activation::Tanh,
            vocab_size: 0,
            format: WeightFormat::Table,
            kernel: None,
            words: &[],
            kept: Kept::none(),
        }
    }

    /// Returns the layer of `fan_out` rows in this format whose weights are at the beginning of `words`.
    #[inline]
    pub(crate) const fn new(
        config: &Config,
        layout: Layout,
        format: WeightFormat,
        fan_out: usize,
        words: &'n [u32],
    ) -> Self {
        Self {
            fan_out,
            activation: config.activation(),
            vocab_size: config.vocab_size(),
            format,
            kernel: PackedKernel::new(layout, format),
            words,
            kept: Kept::none(),
        }
    }

    /// Returns the layer's arrays and the rest of the slab.
    #[cfg(all(feature = "alloc", keeps_layers))]
    pub(crate) fn words(&self) -> &'n [u32] {
        self.words
    }

    /// Returns bias and multiplier, if they are arrays of their own.
    #[inline]
    fn scaling(&self) -> Scaling<'n> {
        let array = |from: usize| bytemuck::cast_slice(self.words.get(from..).unwrap_or(&[]));
        Scaling { bias: array(0), multiplier: array(round_up(self.fan_out, ARRAY_WORDS)) }
    }

    /// Returns the weights, if they are not in blocks.
    #[inline]
    fn bytes(&self) -> &'n [i8] {
        let scaling = match self.format {
            WeightFormat::Pairs => 0,
            WeightFormat::F32
            | WeightFormat::Table
            | WeightFormat::Int8
            | WeightFormat::Int4
            | WeightFormat::Halves => 2 * round_up(self.fan_out, ARRAY_WORDS),
        };
        bytemuck::cast_slice(self.words.get(scaling..).unwrap_or(&[]))
    }

    /// Returns the values of a pair of characters, from a layer in [`WeightFormat::Pairs`], or an empty slice.
    #[inline]
    pub(crate) fn pair(&self, pair: [Token; 2]) -> &'n [i8] {
        let width = self.width_out();
        part(self.bytes(), self.pair_index(pair) * width, width)
    }

    /// Returns the index of a pair of characters among all pairs.
    #[inline]
    fn pair_index(&self, [older, newer]: [Token; 2]) -> usize {
        usize::from(older) * self.vocab_size + usize::from(newer)
    }

    /// Computes the layer's requantized sums of an input. `out` has room for `fan_out` rounded up to whole blocks; the
    /// values after `fan_out` are unspecified.
    #[cfg_attr(kernel = "mve", inline(always))]
    pub(crate) fn forward(&self, input: Input<'_>, out: &mut [i32]) {
        if let Some(out) = self.run_on_unit(&input, Out::Rows(out)) {
            self.run(&input.moved(), out);
        }
    }

    /// Returns the number of values after the activation.
    #[inline]
    fn width_out(&self) -> usize {
        self.fan_out / self.activation.rows_per_value()
    }

    /// Computes a level: the layer, then its activation. `out` has room as for [`Self::forward`]; the values after the
    /// level's width are unspecified.
    #[cfg_attr(kernel = "mve", inline(always))]
    pub(crate) fn forward_level(&self, input: Input<'_>, out: &mut [i8]) {
        if !self.level_on_unit(&input, out) {
            self.level_in_rust(&input.moved(), out);
        }
        // Pairs are stored with their gates applied.
        if self.activation.is_gated() && self.format != WeightFormat::Pairs {
            self.gate(out);
        }
    }

    /// Applies the gates of a level.
    #[inline]
    fn gate(&self, out: &mut [i8]) {
        if let Some((values, gates)) = out.split_at_mut_checked(self.width_out()) {
            kernels::gate_i8(values, gates);
        }
    }

    /// Computes [`Self::forward_level`] without gates, where the vector unit did not compute it.
    // Not inlined on the core whose unit nearly always does: the rare case would take registers from the frequent one.
    #[cfg_attr(kernel = "mve", inline(never))]
    #[cfg_attr(not(kernel = "mve"), inline(always))]
    fn level_in_rust(&self, input: &Input<'_>, out: &mut [i8]) {
        if self.format.reads_tokens() {
            self.look_up(input.tokens(), out);
        } else {
            let out = Out::Curve(out, self.activation.curve());
            if let Some(out) = self.run_on_unit(input, out) {
                self.run(input, out);
            }
        }
    }

    /// Computes [`Self::forward_level`] of characters, oldest first, from a table or from all pairs, without gates.
    #[inline(never)]
    fn look_up(&self, tokens: &[Token], out: &mut [i8]) {
        let (vocab_size, rows, bytes) = (self.vocab_size, self.fan_out, self.bytes());
        if let &[older, newer] = tokens
            && self.format == WeightFormat::Pairs
        {
            return copy_i8(self.pair([older, newer]), out);
        }
        let (Scaling { bias, multiplier }, curve) = (self.scaling(), self.activation.curve());
        // No other slice is shorter.
        let Some(to) = out.get_mut(..rows) else { return };
        if let &[older, newer] = tokens {
            let older = part(bytes, usize::from(older) * rows, rows);
            let newer = part(bytes, (vocab_size + usize::from(newer)) * rows, rows);
            return look_up_pair(bias, multiplier, [older, newer], curve, to);
        }
        for (row, (to, (&bias, &multiplier))) in to.iter_mut().zip(bias.iter().zip(multiplier)).enumerate() {
            let mut sum = bias;
            for (position, &token) in tokens.iter().enumerate() {
                let entry = (position * vocab_size + usize::from(token)) * rows + row;
                sum = sum.wrapping_add(bytes.get(entry).copied().unwrap_or(0).into());
            }
            *to = curve.at(requantize(sum, multiplier));
        }
    }

    /// Computes a level in [`WeightFormat::Halves`] for two pairs of characters, the older pair first. `out` has room
    /// as for [`Self::forward`]; the values after the level's width are unspecified.
    #[cfg_attr(kernel = "mve", inline(always))]
    pub(crate) fn forward_pairs(&self, [older, newer]: [[Token; 2]; 2], out: &mut [i8]) {
        let Some((multiplier, entries)) = self.words.split_at_checked(round_up(self.fan_out, ARRAY_WORDS)) else {
            return;
        };
        let words = half_words(self.fan_out);
        let half = |pair: usize| part(entries, pair * words, words);
        let older = half(self.pair_index(older));
        let newer = half(self.vocab_size * self.vocab_size + self.pair_index(newer));
        add_halves(older, newer, bytemuck::cast_slice(multiplier), self.activation.curve(), out);
        if self.activation.is_gated() {
            self.gate(out);
        }
    }

    /// Computes all rows, where the vector unit did not compute them.
    #[inline(never)]
    fn run(&self, input: &Input<'_>, mut out: Out<'_>) {
        if let Some(kernel) = self.kernel {
            let count = self.fan_out.div_ceil(kernel.rows_per_block());
            return kernel.run(count, self.words, input.words(), input.constant(), out);
        }
        if ROW_MAJOR {
            let (Scaling { bias, multiplier }, x) = (self.scaling(), input.bytes());
            for (row, (&bias, &multiplier)) in bias.iter().zip(multiplier).take(self.fan_out).enumerate() {
                out.set(row, requantize(bias.wrapping_add(self.dot(row, x)), multiplier));
            }
        }
    }

    /// Returns the sum of the products of a row and activations.
    #[inline]
    fn dot(&self, row: usize, x: &[i8]) -> i32 {
        let (fan_in, weights) = (x.len(), self.bytes());
        if ROW_MAJOR_I4 && self.format == WeightFormat::Int4 {
            let bytes = fan_in.div_ceil(2);
            return dot_i4(bytemuck::cast_slice(weights.get(row * bytes..).unwrap_or(&[])), x);
        }
        dot_i8(weights.get(row * fan_in..).unwrap_or(&[]), x)
    }
}
