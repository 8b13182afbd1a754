#[cfg(feature = "std")]
mod host;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::ops::Range;

use crate::config::{Activation, Config, LinearShape};
use crate::error::FormatError;
use crate::format::{Layout, SLAB_ALIGN, Slab, WeightFormat};
#[cfg(feature = "row-major")]
use crate::kernels::dot_i8;
use crate::kernels::packed::{Out, Packed};
use crate::kernels::{copy_i8, exchange_i8, table_tanh_i8};
#[cfg(all(feature = "row-major", feature = "int4"))]
use crate::kernels::{dot_i4, unpack_i4};
use crate::quant::{ACC_LIMIT, ACTIVATION_MAX, requantize, tanh_i8};
use crate::vocab::Token;

/// `acc = W x + bias` in integers, then `requantize(acc, multiplier)` per row.
///
/// A view of weights that were checked. Small chips make it for each use: their models keep no more of a
/// layer than where its weights are.
#[derive(Clone, Debug)]
pub struct LinearInt<'n> {
    shape: LinearShape,
    /// Of the level; of no meaning for the output layer.
    activation: Activation,
    vocab_size: usize,
    format: WeightFormat,
    /// What reads the weights where they are packed in blocks.
    kernel: Option<Packed>,
    /// Of the blocks: those of all positions, padded.
    columns: usize,
    /// [`Self::stride`] of positions of one width.
    stride: usize,
    /// [`Self::input_len`].
    input_len: usize,
    #[cfg(feature = "row-major")]
    row_major: bool,
    /// The layer's arrays and what is behind them, each padded to four words: bias and multiplier, unless they are part of what
    /// follows; the weights.
    words: &'n [u32],
    /// The weights in blocks, once more, with what has been checked of them.
    #[cfg(all(kernel = "mve", feature = "vector128"))]
    matrix: Option<crate::kernels::vector128::Matrix<'n>>,
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

/// A layer as [`crate::format::IntegerLayer`] has it, owned.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// One per row.
    pub bias: Vec<i32>,
    /// One per row.
    pub multiplier: Vec<i32>,
    /// `[fan_out][fan_in]`, for a table `[position][vocab_size][fan_out]`, for pairs `[vocab_size][vocab_size][width_out]`.
    pub weights: Vec<i8>,
}

impl<'n> LinearInt<'n> {
    /// Takes the layer's arrays from the front of the slab; `None` if it is too short, or the format is not one that can be read.
    pub(crate) fn take(&self, slab: &mut Slab<'_>) -> Option<()> {
        let (shape, vocab_size) = (&self.shape, self.vocab_size);
        let fan_out = shape.fan_out;
        // Bytes of biases, as many of multipliers, and of weights.
        let (scaling, weights) = match (self.kernel, self.format) {
            (Some(kernel), _) => {
                if let Err(violation) = kernel.limits().check(self.columns) {
                    return slab.refuse(violation.into());
                }
                (0, self.blocks(kernel) * kernel.block_words(self.columns) * size_of::<u32>())
            }
            (_, WeightFormat::Table) => (fan_out, shape.positions * vocab_size * fan_out),
            (_, WeightFormat::Pairs) if shape.positions == 2 => (0, vocab_size * vocab_size * self.width_out()),
            #[cfg(feature = "row-major")]
            (_, WeightFormat::Int8) if self.row_major => (fan_out, shape.fan_in() * fan_out),
            #[cfg(all(feature = "row-major", feature = "int4"))]
            (_, WeightFormat::Int4) if self.row_major => (fan_out, shape.fan_in().div_ceil(2) * fan_out),
            _ => return slab.refuse(FormatError::UnsupportedFormat),
        };
        let scaling = scaling * size_of::<i32>();
        slab.take(scaling)?;
        slab.take(scaling)?;
        slab.take(weights).map(|_| ())
    }

    /// The layer that has this shape and this format; its weights are at the beginning of `words`.
    #[inline(never)]
    pub(crate) fn new(
        config: &Config,
        layout: Layout,
        format: WeightFormat,
        shape: LinearShape,
        words: &'n [u32],
    ) -> Self {
        let kernel = Packed::new(layout, format);
        let columns = kernel.map_or(0, |kernel| kernel.columns(&shape));
        Self {
            shape,
            activation: config.activation(),
            vocab_size: config.vocab_size(),
            format,
            kernel,
            columns,
            stride: kernel.map_or(shape.width, |kernel| kernel.position_words(&shape, shape.width)),
            input_len: kernel.map_or_else(|| shape.fan_in(), |kernel| kernel.prepared_words(columns)),
            #[cfg(feature = "row-major")]
            row_major: layout == Layout::RowMajor,
            words,
            #[cfg(all(kernel = "mve", feature = "vector128"))]
            matrix: None,
            #[cfg(feature = "std")]
            shifted: None,
        }
    }

    /// The same, with its [`Self::matrix`].
    #[cfg(all(kernel = "mve", feature = "vector128"))]
    pub(crate) fn for_vectors(mut self) -> Self {
        use crate::kernels::vector128::Matrix;
        let rows = self.shape.fan_out.next_multiple_of(crate::kernels::LANES);
        self.matrix = match self.kernel {
            Some(Packed::Vector128I8) => Matrix::i8(self.words, self.input_len, rows),
            #[cfg(feature = "int4")]
            Some(Packed::Vector128I4) => Matrix::i4(self.words, self.input_len, rows),
            #[allow(unreachable_patterns, reason = "where there is no other layout")]
            _ => None,
        };
        self
    }

    /// Of nothing.
    #[cfg(not(any(kernel = "v6m", kernel = "v7m", kernel = "dsp")))]
    pub(crate) const NONE: Self = Self {
        shape: LinearShape::new(0, 0, 0),
        activation: Activation::Tanh,
        vocab_size: 0,
        format: WeightFormat::Table,
        kernel: None,
        columns: 0,
        stride: 0,
        input_len: 0,
        #[cfg(feature = "row-major")]
        row_major: false,
        words: &[],
        #[cfg(all(kernel = "mve", feature = "vector128"))]
        matrix: None,
        #[cfg(feature = "std")]
        shifted: None,
    };

    /// Blocks of rows.
    #[inline]
    fn blocks(&self, kernel: Packed) -> usize {
        self.shape.fan_out.div_ceil(kernel.rows_per_block())
    }

    /// Bias and multiplier where they are arrays of their own; behind each is what follows it.
    #[inline]
    fn scaling(&self) -> Scaling<'n> {
        let array = |from: usize| bytemuck::cast_slice(self.words.get(from..).unwrap_or(&[]));
        Scaling { bias: array(0), multiplier: array(self.shape.fan_out.next_multiple_of(ARRAY_WORDS)) }
    }

    /// The weights where they are not in blocks.
    #[inline]
    fn bytes(&self) -> &'n [i8] {
        let scaling = match self.format {
            WeightFormat::Pairs => 0,
            _ => 2 * self.shape.fan_out.next_multiple_of(ARRAY_WORDS),
        };
        bytemuck::cast_slice(self.words.get(scaling..).unwrap_or(&[]))
    }

    /// Every sum of every row stays below [`ACC_LIMIT`] whatever the activations, every multiplier is positive or zero, no
    /// weight is the one number whose negative does not exist, and what belongs to no weight is zero. Else the first of these that
    /// does not hold; `layer` is for messages.
    #[inline(never)]
    pub(crate) fn check(&self, layer: usize) -> Option<FormatError> {
        let bad = Some(FormatError::BadValue { layer });
        if self.format == WeightFormat::Pairs {
            let mut activations = self.bytes().iter().take(self.vocab_size.pow(2) * self.width_out());
            return if activations.any(|&activation| activation == i8::MIN) { bad } else { None };
        }
        let rows = self.kernel.map_or(1, Packed::rows_per_block);
        for row in 0..self.shape.fan_out.next_multiple_of(rows) {
            let stored = self.row(row);
            let (Some(magnitude), Some(bias)) = (self.magnitude(stored), self.bias_of(stored)) else { return bad };
            let multiplier = self.multiplier_of(stored);
            let padding = row >= self.shape.fan_out;
            if multiplier < 0 || (padding && magnitude | bias.unsigned_abs() | multiplier as u32 != 0) {
                return bad;
            }
            // Below 2^31 + 2^30: at most 2^17 columns.
            if bias.unsigned_abs() + magnitude >= ACC_LIMIT as u32 {
                return Some(FormatError::AccumulatorOverflow { layer, row });
            }
        }
        None
    }

    /// The largest sum a row can give without its bias; `None` if it has a weight that is not allowed.
    #[inline]
    fn magnitude(&self, row: Row<'_>) -> Option<u32> {
        let weight_max = if self.format == WeightFormat::Int4 { 7 } else { 127 };
        let table = self.format == WeightFormat::Table;
        let (mut sum, mut column) = (0, 0);
        for position in 0..self.shape.positions {
            let padding = column + if table { self.vocab_size } else { self.shape.width_of(position) };
            let end = self.column(position + 1);
            while column < end {
                let magnitude = u32::from(self.weight_of(row, column).unsigned_abs());
                if magnitude > if column < padding { weight_max } else { 0 } {
                    return None;
                }
                sum += magnitude;
                column += 1;
            }
        }
        // The half byte behind an odd last column belongs to no weight.
        #[cfg(all(feature = "row-major", feature = "int4"))]
        if self.format == WeightFormat::Int4
            && self.kernel.is_none()
            && column % 2 == 1
            && self.weight_of(row, column) != 0
        {
            return None;
        }
        // What an input is at most. One entry of a table per position: no more than all of the largest.
        Some(if table { sum } else { sum * ACTIVATION_MAX as u32 })
    }

    /// The column in which the first value of a position is stored; of a table, those of its first character.
    #[inline]
    fn column(&self, position: usize) -> usize {
        match self.kernel {
            Some(kernel) => kernel.start(&self.shape, position),
            None if self.format == WeightFormat::Table => position * self.vocab_size,
            None => self.shape.start(position, |width| width),
        }
    }

    /// Where a row is stored.
    #[inline]
    fn row(&self, row: usize) -> Row<'n> {
        let Some(kernel) = self.kernel else { return Row { block: self.words, row } };
        let (rows, words) = (kernel.rows_per_block(), kernel.block_words(self.columns));
        let block = self.words.get(row / rows * words..).and_then(|behind| behind.get(..words));
        Row { block: block.unwrap_or(&[]), row: row % rows }
    }

    #[inline]
    fn weight_of(&self, Row { block, row }: Row<'_>, column: usize) -> i8 {
        if let Some(kernel) = self.kernel {
            return kernel.weight(block, self.columns, row, column);
        }
        let byte = |index: usize| self.bytes().get(index).copied().unwrap_or(0);
        match self.format {
            WeightFormat::Table => byte(column * self.shape.fan_out + row),
            #[cfg(all(feature = "row-major", feature = "int4"))]
            WeightFormat::Int4 => {
                let (low, high) = unpack_i4(byte(row * self.shape.fan_in().div_ceil(2) + column / 2) as u8);
                if column.is_multiple_of(2) { low } else { high }
            }
            // 8 bits: others have no weights that anybody asks for.
            #[cfg(feature = "row-major")]
            _ => byte(row * self.shape.fan_in() + column),
            #[cfg(not(feature = "row-major"))]
            _ => 0,
        }
    }

    #[inline]
    fn bias_of(&self, Row { block, row }: Row<'_>) -> Option<i32> {
        match self.kernel {
            Some(kernel) => kernel.bias(block, self.columns, row),
            None => self.scaling().bias.get(row).copied(),
        }
    }

    #[inline]
    fn multiplier_of(&self, Row { block, row }: Row<'_>) -> i32 {
        match self.kernel {
            Some(kernel) => kernel.multiplier(block, self.columns, row),
            None => self.scaling().multiplier.get(row).copied().unwrap_or(0),
        }
    }

    /// The weight of a row for value `index` of a position; of a table, what the character `index` adds. 0 outside.
    pub fn weight(&self, row: usize, position: usize, index: usize) -> i8 {
        self.weight_of(self.row(row), self.column(position) + index)
    }

    /// The bias of a row; `None` if what stands in its place is none.
    pub fn bias(&self, row: usize) -> Option<i32> {
        self.bias_of(self.row(row))
    }

    /// The multiplier of a row; 0 outside.
    pub fn multiplier(&self, row: usize) -> i32 {
        self.multiplier_of(self.row(row))
    }

    /// Words of the input in the form the layer's kernel reads.
    #[inline]
    pub fn input_words(&self) -> usize {
        match self.kernel {
            Some(_) => self.input_len,
            None => self.input_len.div_ceil(size_of::<u32>()),
        }
    }

    /// Whether the layer reads characters.
    pub fn reads_tokens(&self) -> bool {
        self.format.reads_tokens()
    }

    /// How the weights are stored.
    pub fn format(&self) -> WeightFormat {
        self.format
    }

    /// The numbers themselves, in no particular layout.
    #[cfg(feature = "alloc")]
    pub fn unpack(&self) -> Unpacked {
        let shape = self.shape;
        let bytes = |len: usize| self.bytes()[..len].to_vec();
        if self.format == WeightFormat::Pairs {
            let weights = bytes(self.vocab_size.pow(2) * self.width_out());
            return Unpacked { bias: Vec::new(), multiplier: Vec::new(), weights };
        }
        let rows = 0..shape.fan_out;
        let weights = match self.format {
            WeightFormat::Table => bytes(shape.positions * self.vocab_size * shape.fan_out),
            _ => {
                let position =
                    move |row, position| (0..shape.width_of(position)).map(move |index| (row, position, index));
                let columns = |row| (0..shape.positions).flat_map(move |at| position(row, at));
                rows.clone().flat_map(columns).map(|(row, position, index)| self.weight(row, position, index)).collect()
            }
        };
        Unpacked {
            // It was checked when the layer was taken.
            bias: rows.clone().map(|row| self.bias(row).unwrap_or(0)).collect(),
            multiplier: rows.map(|row| self.multiplier(row)).collect(),
            weights,
        }
    }

    /// What a position takes of the input: words, or bytes of activations as they are.
    #[inline]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The same of one that has this width, where they differ.
    #[inline]
    pub fn stride_of(&self, width: usize) -> usize {
        self.kernel.map_or(width, |kernel| kernel.position_words(&self.shape, width))
    }

    /// The whole input, in the same unit.
    #[inline]
    pub fn input_len(&self) -> usize {
        self.input_len
    }

    /// Puts the activations of a position into the input, in the form the layer's kernel reads: `place` begins where the strides of
    /// those before it end, and is a stride long; that of the last position goes to the end of the input. The sum of what it gives
    /// for all positions goes with the input.
    #[inline(never)]
    pub fn prepare(&self, place: Range<usize>, x: &[i8], input: &mut [u32]) -> i32 {
        let Some(kernel) = self.kernel else {
            let bytes: &mut [i8] = bytemuck::cast_slice_mut(input);
            copy_i8(x, bytes.get_mut(place).unwrap_or(&mut []));
            return 0;
        };
        input.get_mut(place).map_or(0, |prepared| kernel.prepare(x, prepared))
    }

    /// [`Self::prepare`] of the oldest of two positions, with which `slot` begins, and of the newest, which takes its place there,
    /// where the kernel reads activations as they are; else does nothing.
    #[inline]
    pub fn exchange(&self, newest: &[i8], slot: &mut [i8], input: &mut [u32]) -> bool {
        // Bytes of a position.
        let bytes = match self.kernel {
            Some(kernel) if kernel.reads_bytes() => size_of::<u32>() * self.stride,
            Some(_) => 0,
            None => newest.len(),
        };
        self.shape.positions == 2
            && bytes == newest.len()
            && exchange_i8(newest, slot, bytemuck::cast_slice_mut(input), bytes)
    }

    /// The activations of a layer of one position as its input, if its kernel reads them as they are.
    pub fn as_prepared<'x>(&self, x: &'x [i8]) -> Option<&'x [u32]> {
        match self.kernel {
            Some(kernel) if self.shape.positions == 1 && kernel.reads_bytes() && 4 * self.input_words() == x.len() => {
                bytemuck::try_cast_slice(x).ok()
            }
            _ => None,
        }
    }

    /// The layer's requantized sums of a prepared input. `out` has room for `fan_out` rounded up to whole blocks; what is behind
    /// `fan_out` is of no meaning.
    pub fn forward(&self, input: &[u32], constant: i32, out: &mut [i32]) {
        #[cfg(feature = "std")]
        if self.forward_host(input, out) {
            return;
        }
        self.run(input, constant, Out::Rows(out));
    }

    /// Values behind the activation.
    #[inline]
    fn width_out(&self) -> usize {
        self.shape.fan_out / self.activation.rows_per_value()
    }

    /// A level: the layer and its activation behind it. `out` has room as for [`Self::forward`]; what is behind the level's
    /// width is of no meaning.
    pub fn forward_level(&self, input: &[u32], constant: i32, out: &mut [i8]) {
        if self.format.reads_tokens() {
            let tokens: &[Token] = bytemuck::cast_slice(input);
            return self.look_up(tokens.get(..self.shape.positions).unwrap_or(&[]), out);
        }
        #[cfg(feature = "std")]
        if self.forward_tanh_host(input, out) {
            return self.gate(out);
        }
        self.run(input, constant, Out::Tanh(out));
        self.gate(out);
    }

    /// [`Self::forward_level`] for characters, oldest first, of a table or of all pairs.
    #[inline(never)]
    fn look_up(&self, tokens: &[Token], out: &mut [i8]) {
        if let &[older, newer] = tokens
            && self.format == WeightFormat::Pairs
        {
            let (rows, pair) = (self.width_out(), self.entries(older.into(), newer, self.width_out()));
            return out.get_mut(..rows).into_iter().zip(pair).for_each(|(out, pair)| copy_i8(pair, out));
        }
        #[cfg(feature = "std")]
        if self.look_up_host(tokens, out) {
            return self.gate(out);
        }
        let (Scaling { bias, multiplier }, rows) = (self.scaling(), self.shape.fan_out);
        let Some(to) = out.get_mut(..rows) else { return };
        if let &[older, newer] = tokens {
            if let (Some(older), Some(newer)) = (self.entries(0, older, rows), self.entries(1, newer, rows)) {
                table_tanh_i8(bias, multiplier, [older, newer], to);
            }
        } else {
            for (row, ((to, &bias), &multiplier)) in to.iter_mut().zip(bias).zip(multiplier).enumerate() {
                let mut sum = bias;
                for (position, &token) in tokens.iter().enumerate() {
                    let entry = self.entries(position, token, rows).and_then(|entries| entries.get(row));
                    sum = sum.wrapping_add(entry.copied().unwrap_or(0).into());
                }
                *to = tanh_i8(requantize(sum, multiplier));
            }
        }
        self.gate(out);
    }

    /// What a table has for a character at a position, or pairs for a character behind another: so many `rows`, of pairs as many as
    /// values, and what is behind.
    #[inline]
    fn entries(&self, position: usize, token: Token, rows: usize) -> Option<&'n [i8]> {
        self.bytes().get((position * self.vocab_size + usize::from(token)) * rows..)
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
    fn run(&self, input: &[u32], constant: i32, #[allow(unused_mut)] mut out: Out<'_>) {
        #[cfg(all(kernel = "mve", feature = "vector128"))]
        if let Some(matrix) = &self.matrix {
            return match out {
                Out::Rows(out) => matrix.rows(input, out),
                Out::Tanh(out) => matrix.rows_tanh(input, out),
            };
        }
        let Some(kernel) = self.kernel else {
            #[cfg(feature = "row-major")]
            {
                let (Scaling { bias, multiplier }, x) = (self.scaling(), bytemuck::cast_slice(input));
                for (row, (&bias, &multiplier)) in bias.iter().zip(multiplier).take(self.shape.fan_out).enumerate() {
                    out.set(row, requantize(bias.wrapping_add(self.dot(row, x)), multiplier));
                }
            }
            return;
        };
        if let Some(input) = input.get(..self.input_words()) {
            kernel.run(self.blocks(kernel), self.words, input, constant, out);
        }
    }

    /// The products of a row and activations.
    #[cfg(feature = "row-major")]
    #[inline]
    fn dot(&self, row: usize, x: &[i8]) -> i32 {
        let (fan_in, weights) = (self.shape.fan_in(), self.bytes());
        let x = x.get(..fan_in).unwrap_or(&[]);
        #[cfg(feature = "int4")]
        if self.format == WeightFormat::Int4 {
            let bytes = fan_in.div_ceil(2);
            return dot_i4(bytemuck::cast_slice(weights.get(row * bytes..).unwrap_or(&[])), x);
        }
        dot_i8(weights.get(row * fan_in..).unwrap_or(&[]), x)
    }
}

/// A row: of a block, or of all.
#[derive(Clone, Copy)]
struct Row<'a> {
    block: &'a [u32],
    row: usize,
}

/// Words to which an array in the slab is padded.
const ARRAY_WORDS: usize = SLAB_ALIGN / size_of::<u32>();
