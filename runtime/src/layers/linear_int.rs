#[cfg(feature = "std")]
mod host;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::config::{Activation, Config, LinearShape};
use crate::error::FormatError;
use crate::format::{Layout, SLAB_ALIGN, Slab, WeightFormat};
#[cfg(feature = "row-major")]
use crate::kernels::dot_i8;
use crate::kernels::packed::{Out, Packed};
use crate::kernels::{copy_i8, exchange_i8, table_tanh_i8};
#[cfg(all(feature = "row-major", feature = "int4"))]
use crate::kernels::{dot_i4, unpack_i4};
use crate::quant::{ACC_LIMIT, ACTIVATION_MAX, requantize};
use crate::vocab::Token;

/// `acc = W x + bias` in integers, then `requantize(acc, multiplier)` per row.
///
/// A view of weights that were checked ([`LinearInt::check`]), made for each use: a model keeps no more of a layer than where its
/// weights are.
#[derive(Clone, Copy, Debug)]
pub struct LinearInt<'n> {
    shape: LinearShape<'n>,
    /// Of the level; of no meaning for the output layer.
    activation: Activation,
    vocab_size: usize,
    format: WeightFormat,
    /// What reads the weights where they are packed in blocks.
    kernel: Option<Packed>,
    #[cfg(feature = "row-major")]
    row_major: bool,
    /// The layer's arrays and what is behind them, each padded to four words: bias and multiplier, unless they are part of what follows; the weights.
    words: &'n [u32],
    /// What the host's kernels take in place of the bias; see [`crate::kernels::host::VectorUnit::rows_i8`].
    #[cfg(feature = "std")]
    shifted: &'n [i32],
}

/// What a row has besides its weights; both `[fan_out]`.
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

/// What a layer reads.
#[derive(Clone, Copy, Debug)]
pub enum Input<'i> {
    /// Characters, oldest first, for a table.
    Tokens(&'i [Token]),
    /// Activations, as [`LinearInt::prepare`] left them, and the sum of the constants it gave.
    Prepared(&'i [u32], i32),
}

impl<'n> LinearInt<'n> {
    /// Takes the layer's arrays from the front of the slab; `None` if it is too short, or the format is not one that can be read.
    pub(crate) fn take(&self, slab: &mut Slab<'_>) -> Option<()> {
        let (shape, vocab_size) = (&self.shape, self.vocab_size);
        let (positions, fan_out) = (shape.positions, shape.fan_out);
        // Bytes of biases, as many of multipliers, and of weights.
        let (scaling, weights) = match (self.kernel, self.format) {
            (Some(kernel), _) => {
                let columns = kernel.columns(shape);
                if let Err(violation) = kernel.limits().check(columns) {
                    return slab.refuse(violation.into());
                }
                (0, fan_out.div_ceil(kernel.rows_per_block()) * kernel.block_words(columns) * size_of::<u32>())
            }
            (_, WeightFormat::Table) => (fan_out, positions * vocab_size * fan_out),
            (_, WeightFormat::Pairs) if positions == 2 => (0, vocab_size * vocab_size * self.width_out()),
            #[cfg(feature = "row-major")]
            (_, WeightFormat::Int8) if self.row_major => (fan_out, shape.fan_in() * fan_out),
            #[cfg(all(feature = "row-major", feature = "int4"))]
            (_, WeightFormat::Int4) if self.row_major => (fan_out, shape.fan_in().div_ceil(2) * fan_out),
            _ => return slab.refuse(FormatError::UnsupportedFormat),
        };
        let scaling = scaling * size_of::<i32>();
        for bytes in [scaling, scaling, weights] {
            slab.take(bytes)?;
        }
        Some(())
    }

    /// The layer that has this shape, and these weights.
    #[inline]
    pub(crate) fn new(
        (layout, format): (Layout, WeightFormat),
        shape: LinearShape<'n>,
        config: &Config,
        words: &'n [u32],
    ) -> Self {
        Self {
            shape,
            activation: config.activation(),
            vocab_size: config.vocab_size(),
            format,
            kernel: Packed::new(layout, format),
            #[cfg(feature = "row-major")]
            row_major: layout == Layout::RowMajor,
            words,
            #[cfg(feature = "std")]
            shifted: &[],
        }
    }

    /// Bias and multiplier where they are arrays of their own.
    #[inline]
    fn scaling(&self) -> Scaling<'n> {
        let (fan_out, multiplier) = (self.shape.fan_out, self.shape.fan_out.next_multiple_of(ARRAY_WORDS));
        let array = |from: usize| {
            let words = self.words.get(from..).and_then(|words| words.get(..fan_out));
            bytemuck::cast_slice(words.unwrap_or(&[]))
        };
        Scaling { bias: array(0), multiplier: array(multiplier) }
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
            let mut activations = self.bytes().iter().take(self.vocab_size * self.vocab_size * self.width_out());
            return if activations.any(|&activation| activation == i8::MIN) { bad } else { None };
        }
        let rows = match self.kernel {
            Some(kernel) => self.shape.fan_out.next_multiple_of(kernel.rows_per_block()),
            None => self.shape.fan_out,
        };
        for row in 0..rows {
            let (Some(magnitude), Some(bias)) = (self.magnitude(row), self.bias(row)) else { return bad };
            let multiplier = self.multiplier(row);
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
    fn magnitude(&self, row: usize) -> Option<u32> {
        let weight_max = if self.format == WeightFormat::Int4 { 7 } else { 127 };
        let table = self.format == WeightFormat::Table;
        let (mut sum, mut column) = (0, 0);
        for position in 0..self.shape.positions {
            let padding = column + if table { self.vocab_size } else { self.shape.width_of(position) };
            let end = self.column(position + 1);
            while column < end {
                let magnitude = u32::from(self.weight_at(row, column).unsigned_abs());
                if magnitude > if column < padding { weight_max } else { 0 } {
                    return None;
                }
                sum += magnitude;
                column += 1;
            }
        }
        // The half byte behind an odd last column belongs to no weight.
        #[cfg(all(feature = "row-major", feature = "int4"))]
        if self.format == WeightFormat::Int4 && self.kernel.is_none() && column % 2 == 1 && self.weight_at(row, column) != 0 {
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

    /// The weight of a row for value `index` of a position; of a table, what the character `index` adds. 0 outside.
    pub fn weight(&self, row: usize, position: usize, index: usize) -> i8 {
        self.weight_at(row, self.column(position) + index)
    }

    #[inline]
    fn weight_at(&self, row: usize, column: usize) -> i8 {
        if let Some(kernel) = self.kernel {
            let (block, columns, row) = self.block(kernel, row);
            return kernel.weight(block, columns, row, column);
        }
        let byte = |index: usize| self.bytes().get(index).copied().unwrap_or(0);
        match self.format {
            WeightFormat::Table => byte(column * self.shape.fan_out + row),
            #[cfg(feature = "row-major")]
            WeightFormat::Int8 => byte(row * self.shape.fan_in() + column),
            #[cfg(all(feature = "row-major", feature = "int4"))]
            WeightFormat::Int4 => {
                let (low, high) = unpack_i4(byte(row * self.shape.fan_in().div_ceil(2) + column / 2) as u8);
                if column.is_multiple_of(2) { low } else { high }
            }
            _ => 0,
        }
    }

    /// The bias of a row; `None` if what stands in its place is none.
    pub fn bias(&self, row: usize) -> Option<i32> {
        match self.kernel {
            Some(kernel) => {
                let (block, columns, row) = self.block(kernel, row);
                kernel.bias(block, columns, row)
            }
            None => self.scaling().bias.get(row).copied(),
        }
    }

    /// The multiplier of a row; 0 outside.
    pub fn multiplier(&self, row: usize) -> i32 {
        match self.kernel {
            Some(kernel) => {
                let (block, columns, row) = self.block(kernel, row);
                kernel.multiplier(block, columns, row)
            }
            None => self.scaling().multiplier.get(row).copied().unwrap_or(0),
        }
    }

    /// The block that has a row, its columns, and the row's place in it.
    #[inline(never)]
    fn block(&self, kernel: Packed, row: usize) -> (&'n [u32], usize, usize) {
        let columns = kernel.columns(&self.shape);
        let (rows, words) = (kernel.rows_per_block(), kernel.block_words(columns));
        let block = self.words.get(row / rows * words..).and_then(|words_left| words_left.get(..words));
        (block.unwrap_or(&[]), columns, row % rows)
    }

    /// Words of the input in the form the layer's kernel reads.
    #[inline]
    pub fn input_words(&self) -> usize {
        input_words(self.kernel, &self.shape)
    }

    /// Inputs fused.
    pub fn positions(&self) -> usize {
        self.shape.positions
    }

    /// Values per position.
    pub fn width(&self) -> usize {
        self.shape.width
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
            let weights = bytes(self.vocab_size * self.vocab_size * self.width_out());
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

    /// Puts the activations of one position into the input, in the form the layer's kernel reads. The sum of what it gives
    /// for all positions goes with the input.
    #[inline(never)]
    pub fn prepare(&self, position: usize, x: &[i8], input: &mut [u32]) -> i32 {
        let Some(kernel) = self.kernel else {
            #[cfg(feature = "row-major")]
            {
                let bytes: &mut [i8] = bytemuck::cast_slice_mut(input);
                copy_i8(x, bytes.get_mut(self.shape.start(position, |width| width)..).unwrap_or(&mut []));
            }
            return 0;
        };
        let words = |position| self.shape.start(position, |width| kernel.position_words(&self.shape, width));
        // The last takes the padding of all, too.
        let last = position + 1 == self.shape.positions;
        let end = if last { self.input_words() } else { words(position + 1) };
        input.get_mut(words(position)..end).map_or(0, |prepared| kernel.prepare(x, prepared))
    }

    /// [`Self::prepare`] of the oldest position, which lies in `slot`, and of the newest, which takes its place there; the
    /// sum of what both give.
    #[inline]
    pub fn prepare_ends(&self, newest: &[i8], slot: &mut [i8], input: &mut [u32]) -> i32 {
        // Bytes of a position, where the kernel reads activations as they are.
        let bytes = match self.kernel {
            Some(kernel) if kernel.reads_bytes() => 4 * kernel.position_words(&self.shape, self.shape.width),
            Some(_) => 0,
            None => self.shape.width,
        };
        let values: &mut [i8] = bytemuck::cast_slice_mut(&mut *input);
        if bytes == newest.len()
            && let Some(values) = values.get_mut(..self.shape.positions * bytes)
            && let Some((first, behind)) = values.split_at_mut_checked(bytes)
            && let Some((_, last)) = behind.split_at_mut_checked(behind.len().wrapping_sub(bytes))
        {
            exchange_i8(newest, slot, first, last);
            return 0;
        }
        self.prepare_both_ends(newest, slot, input)
    }

    /// [`Self::prepare_ends`] one by one.
    // Not inlined: it would cost the short way registers.
    #[inline(never)]
    fn prepare_both_ends(&self, newest: &[i8], slot: &mut [i8], input: &mut [u32]) -> i32 {
        let last = self.shape.positions - 1;
        let constant = self.prepare(last, newest, input).wrapping_add(self.prepare(0, slot, input));
        copy_i8(newest, slot);
        constant
    }

    /// The activations of a layer of one position as its input, if its kernel reads them as they are.
    pub fn as_prepared<'x>(&self, x: &'x [i8]) -> Option<&'x [u32]> {
        match self.kernel {
            Some(kernel)
                if self.shape.positions == 1
                    && kernel.reads_bytes()
                    && 4 * kernel.position_words(&self.shape, self.shape.width) == x.len() =>
            {
                bytemuck::try_cast_slice(x).ok()
            }
            _ => None,
        }
    }

    /// The layer's requantized sums. `out` has room for `fan_out` rounded up to whole blocks; what is behind `fan_out` is
    /// of no meaning.
    pub fn forward(&self, input: Input<'_>, out: &mut [i32]) {
        #[cfg(feature = "std")]
        if self.forward_host(input, out) {
            return;
        }
        self.run(input, Out::Rows(out));
    }

    /// Values behind the activation.
    #[inline]
    fn width_out(&self) -> usize {
        self.shape.fan_out / self.activation.rows_per_value()
    }

    /// A level: the layer and its activation behind it. `out` has room as for [`Self::forward`]; what is behind the level's
    /// width is of no meaning.
    pub fn forward_level(&self, input: Input<'_>, out: &mut [i8]) {
        if let Input::Tokens(&[older, newer]) = input {
            return self.look_up(older, newer, out);
        }
        #[cfg(feature = "std")]
        if self.forward_tanh_host(input, out) {
            return self.gate(out);
        }
        self.run(input, Out::Tanh(out));
        self.gate(out);
    }

    /// [`Self::forward_level`] for two characters: the usual level 0, of a table or of all pairs.
    #[inline(never)]
    pub fn look_up(&self, older: Token, newer: Token, out: &mut [i8]) {
        if self.format == WeightFormat::Pairs {
            return copy_i8(self.entries(older.into(), newer, self.width_out()), out);
        }
        #[cfg(feature = "std")]
        if self.forward_tanh_host(Input::Tokens(&[older, newer]), out) {
            return self.gate(out);
        }
        let (Scaling { bias, multiplier }, fan_out) = (self.scaling(), self.shape.fan_out);
        let entries = [self.entries(0, older, fan_out), self.entries(1, newer, fan_out)];
        table_tanh_i8(bias, multiplier, entries, out.get_mut(..fan_out).unwrap_or(&mut []));
        self.gate(out);
    }

    /// What a table has for a character at a position, or pairs for a character behind another: `[rows]`, of pairs as many as values.
    fn entries(&self, position: usize, token: Token, rows: usize) -> &'n [i8] {
        let start = (position * self.vocab_size + usize::from(token)) * rows;
        self.bytes().get(start..).and_then(|table| table.get(..rows)).unwrap_or(&[])
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
    #[inline]
    fn run(&self, input: Input<'_>, out: Out<'_>) {
        if let (Some(kernel), Input::Prepared(input, constant)) = (self.kernel, input) {
            let rows = self.shape.fan_out.next_multiple_of(kernel.rows_per_block());
            if let (Some(input), Some(out)) = (input.get(..self.input_words()), out.first(rows)) {
                let words = self.shape.fan_out.div_ceil(kernel.rows_per_block()) * kernel.block_words(kernel.columns(&self.shape));
                kernel.run(self.words.get(..words).unwrap_or(&[]), input, constant, out);
            }
            return;
        }
        self.run_plain(input, out);
    }

    /// [`Self::run`] of tables and, row after row, of other layouts.
    // Not inlined: its registers would have to be saved for packed layouts, too.
    #[inline(never)]
    fn run_plain(&self, input: Input<'_>, mut out: Out<'_>) {
        let Scaling { bias, multiplier } = self.scaling();
        for (row, (&bias, &multiplier)) in bias.iter().zip(multiplier).enumerate() {
            let sum = match input {
                Input::Tokens(tokens) => tokens.iter().enumerate().fold(0, |sum: i32, (position, &token)| {
                    sum.wrapping_add(self.weight(row, position, token.into()).into())
                }),
                #[cfg(feature = "row-major")]
                Input::Prepared(x, _) => self.dot(row, bytemuck::cast_slice(x)),
                #[cfg(not(feature = "row-major"))]
                Input::Prepared(..) => 0,
            };
            out.set(row, requantize(bias.wrapping_add(sum), multiplier));
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

/// Words to which an array in the slab is padded.
const ARRAY_WORDS: usize = SLAB_ALIGN / size_of::<u32>();

/// Words of a layer's input of activations: as its kernel reads them, else the activations themselves.
#[inline]
pub(crate) fn input_words(kernel: Option<Packed>, shape: &LinearShape<'_>) -> usize {
    match kernel {
        Some(kernel) => kernel.prepared_words(kernel.columns(shape)),
        None => shape.fan_in().div_ceil(size_of::<u32>()),
    }
}
