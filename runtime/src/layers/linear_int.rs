//! Linear layers in integers.

#[cfg(feature = "std")]
mod host;
mod input;
mod stored;

pub use input::Input;
#[cfg(feature = "alloc")]
pub use stored::Unpacked;
pub(crate) use stored::{Stored, has_lowest};

use crate::activation::Activation;
use crate::config::Config;
#[cfg(keeps_layers)]
use crate::config::LinearShape;
use crate::format::{Layout, SLAB_ALIGN, WeightFormat};
#[cfg(all(feature = "row-major", feature = "int4"))]
use crate::kernels::dot_i4;
#[cfg(feature = "row-major")]
use crate::kernels::dot_i8;
use crate::kernels::layout::{Out, Packed};
use crate::kernels::{copy_i8, table_tanh_i8};
use crate::quant::{requantize, tanh_i8};
use crate::rows::{part, round_up};
use crate::vocab::Token;

/// `acc = W x + bias` in integers, then `requantize(acc, multiplier)` per row.
///
/// A view of weights that were checked. Small chips make it for each use: their models keep no more of a
/// layer than where its weights are.
#[derive(Clone, Debug)]
pub struct LinearInt<'n> {
    fan_out: usize,
    /// Of the level; of no meaning for the output layer.
    activation: Activation,
    vocab_size: usize,
    format: WeightFormat,
    /// What reads the weights where they are packed in blocks.
    kernel: Option<Packed>,
    #[cfg(feature = "row-major")]
    row_major: bool,
    /// The layer's arrays and what is behind them, each padded to four words: bias and multiplier, unless they are part of what
    /// follows; the weights.
    words: &'n [u32],
    /// The weights in blocks, once more, with what has been checked of them.
    #[cfg(all(kernel = "mve", feature = "vector128"))]
    matrix: Option<crate::kernels::layout::vector128::Matrix<'n>>,
    /// What the host's kernels take in place of the bias; see [`crate::kernels::host::VectorUnit::rows_i8`].
    #[cfg(feature = "std")]
    shifted: Option<alloc::sync::Arc<[i32]>>,
}

/// What a row has besides its weights; both `[fan_out]` and what is behind.
#[derive(Clone, Copy, Debug)]
struct Scaling<'a> {
    bias: &'a [i32],
    multiplier: &'a [i32],
}

impl<'n> LinearInt<'n> {
    /// The layer of so many rows in this format; its weights are at the beginning of `words`.
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
            kernel: Packed::new(layout, format),
            #[cfg(feature = "row-major")]
            row_major: matches!(layout, Layout::RowMajor),
            words,
            #[cfg(all(kernel = "mve", feature = "vector128"))]
            matrix: None,
            #[cfg(feature = "std")]
            shifted: None,
        }
    }

    /// Adds what is worth keeping for a layer that is used again and again.
    #[cfg(keeps_layers)]
    pub(crate) fn prepared(self, shape: &LinearShape<'_>, input_words: usize) -> Self {
        let _ = (shape, input_words);
        #[cfg(feature = "std")]
        let linear = self.for_host(shape.fan_in());
        #[cfg(all(kernel = "mve", feature = "vector128"))]
        let linear = self.for_vectors(input_words);
        #[cfg(not(any(feature = "std", all(kernel = "mve", feature = "vector128"))))]
        let linear = self;
        linear
    }

    /// The same, with its [`Self::matrix`]; its input has so many words.
    #[cfg(all(kernel = "mve", feature = "vector128"))]
    pub(crate) fn for_vectors(mut self, input_words: usize) -> Self {
        use crate::kernels::layout::vector128::Matrix;
        let (x, rows) = (input_words, crate::rows::padded(self.fan_out));
        self.matrix = match self.kernel {
            Some(Packed::Vector128I8) => Matrix::i8(self.words, x, rows),
            #[cfg(feature = "int4")]
            Some(Packed::Vector128I4) => Matrix::i4(self.words, x, rows),
            #[allow(unreachable_patterns, reason = "where there is no other layout")]
            _ => None,
        };
        self
    }

    /// Of nothing.
    #[cfg(keeps_layers)]
    pub(crate) const NONE: Self = Self {
        fan_out: 0,
        activation: Activation::Tanh,
        vocab_size: 0,
        format: WeightFormat::Table,
        kernel: None,
        #[cfg(feature = "row-major")]
        row_major: false,
        words: &[],
        #[cfg(all(kernel = "mve", feature = "vector128"))]
        matrix: None,
        #[cfg(feature = "std")]
        shifted: None,
    };

    /// Its arrays and what is behind them.
    #[cfg(all(feature = "alloc", keeps_layers))]
    pub(crate) fn words(&self) -> &'n [u32] {
        self.words
    }

    /// Bias and multiplier where they are arrays of their own; behind each is what follows it.
    #[inline]
    fn scaling(&self) -> Scaling<'n> {
        let array = |from: usize| bytemuck::cast_slice(self.words.get(from..).unwrap_or(&[]));
        Scaling { bias: array(0), multiplier: array(round_up(self.fan_out, ARRAY_WORDS)) }
    }

    /// The weights where they are not in blocks.
    #[inline]
    fn bytes(&self) -> &'n [i8] {
        let scaling = match self.format {
            WeightFormat::Pairs => 0,
            _ => 2 * round_up(self.fan_out, ARRAY_WORDS),
        };
        bytemuck::cast_slice(self.words.get(scaling..).unwrap_or(&[]))
    }

    /// The layer's requantized sums of an input. `out` has room for `fan_out` rounded up to whole blocks; what is behind
    /// `fan_out` is of no meaning.
    #[cfg_attr(kernel = "mve", inline(always))]
    pub fn forward(&self, input: &Input<'_>, out: &mut [i32]) {
        #[cfg(feature = "std")]
        if self.forward_host(input, out) {
            return;
        }
        self.run(input, Out::Rows(out));
    }

    /// Values behind the activation.
    #[inline]
    fn width_out(&self) -> usize {
        self.fan_out / self.activation.rows_per_value()
    }

    /// A level: the layer and its activation behind it. `out` has room as for [`Self::forward`]; what is behind the level's
    /// width is of no meaning.
    #[cfg_attr(kernel = "mve", inline(always))]
    pub fn forward_level(&self, input: &Input<'_>, out: &mut [i8]) {
        if self.format.reads_tokens() {
            self.look_up(input.tokens(), out);
        } else {
            #[cfg(feature = "std")]
            if self.forward_tanh_host(input, out) {
                return self.gate(out);
            }
            self.run(input, Out::Tanh(out));
        }
        // Pairs are what is behind it.
        if self.format != WeightFormat::Pairs {
            self.gate(out);
        }
    }

    /// [`Self::forward_level`] for characters, oldest first, of a table or of all pairs; without gates.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn look_up(&self, tokens: &[Token], out: &mut [i8]) {
        let (vocab_size, rows, bytes) = (self.vocab_size, self.fan_out, self.bytes());
        if let &[older, newer] = tokens
            && self.format == WeightFormat::Pairs
        {
            let width = self.width_out();
            let pair = (usize::from(older) * vocab_size + usize::from(newer)) * width;
            return copy_i8(part(bytes, pair, width), out);
        }
        #[cfg(feature = "std")]
        if self.look_up_host(tokens, out) {
            return;
        }
        let Scaling { bias, multiplier } = self.scaling();
        // None is shorter.
        let Some(to) = out.get_mut(..rows) else { return };
        if let &[older, newer] = tokens {
            let older = part(bytes, usize::from(older) * rows, rows);
            let newer = part(bytes, (vocab_size + usize::from(newer)) * rows, rows);
            return table_tanh_i8(bias, multiplier, [older, newer], to);
        }
        for (row, (to, (&bias, &multiplier))) in to.iter_mut().zip(bias.iter().zip(multiplier)).enumerate() {
            let mut sum = bias;
            for (position, &token) in tokens.iter().enumerate() {
                let entry = (position * vocab_size + usize::from(token)) * rows + row;
                sum = sum.wrapping_add(bytes.get(entry).copied().unwrap_or(0).into());
            }
            *to = tanh_i8(requantize(sum, multiplier));
        }
    }

    /// What is left of the activation behind [`tanh_i8`] of every row.
    #[inline]
    fn gate(&self, out: &mut [i8]) {
        if self.activation == Activation::Gated
            && let Some((values, gates)) = out.split_at_mut_checked(self.width_out())
        {
            #[cfg(feature = "std")]
            crate::kernels::host::VectorUnit::best().gate_i8(values, gates);
            #[cfg(not(feature = "std"))]
            crate::kernels::gate_i8(values, gates);
        }
    }

    /// All rows.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn run(&self, input: &Input<'_>, #[allow(unused_mut)] mut out: Out<'_>) {
        #[cfg(all(kernel = "mve", feature = "vector128"))]
        if let Some(matrix) = &self.matrix {
            return match out {
                Out::Rows(out) => matrix.rows(input.words_and_more(), out),
                Out::Tanh(out) => matrix.rows_tanh(input.words_and_more(), out),
            };
        }
        let Some(kernel) = self.kernel else {
            #[cfg(feature = "row-major")]
            {
                let (Scaling { bias, multiplier }, x) = (self.scaling(), input.bytes());
                for (row, (&bias, &multiplier)) in bias.iter().zip(multiplier).take(self.fan_out).enumerate() {
                    out.set(row, requantize(bias.wrapping_add(self.dot(row, x)), multiplier));
                }
            }
            return;
        };
        let count = self.fan_out.div_ceil(kernel.rows_per_block());
        kernel.run(count, self.words, input.words(), input.constant(), out);
    }

    /// The products of a row and activations.
    #[cfg(feature = "row-major")]
    #[inline]
    fn dot(&self, row: usize, x: &[i8]) -> i32 {
        let (fan_in, weights) = (x.len(), self.bytes());
        #[cfg(feature = "int4")]
        if self.format == WeightFormat::Int4 {
            let bytes = fan_in.div_ceil(2);
            return dot_i4(bytemuck::cast_slice(weights.get(row * bytes..).unwrap_or(&[])), x);
        }
        dot_i8(weights.get(row * fan_in..).unwrap_or(&[]), x)
    }
}

/// Words to which an array in the slab is padded.
const ARRAY_WORDS: usize = SLAB_ALIGN / size_of::<u32>();
