#[cfg(feature = "std")]
mod host;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::config::{Activation, LevelShape, LinearShape};
use crate::error::FormatError;
use crate::format::{Layout, Slab, WeightFormat};
use crate::kernels::packed::Packed;
use crate::kernels::{copy_i8, dot_i8, exchange_i8, table_tanh_i8};
#[cfg(feature = "int4")]
use crate::kernels::{dot_i4, unpack_i4};
use crate::quant::{ACC_LIMIT, ACTIVATION_MAX, requantize, tanh_i8};
use crate::vocab::Token;

/// `acc = W x + bias` in integers, then `requantize(acc, multiplier)` per row.
#[derive(Clone, Debug)]
pub struct LinearInt<'a> {
    shape: LinearShape,
    /// Of the level; of no meaning for the output layer.
    activation: Activation,
    rows: Rows<'a>,
    /// What the host's kernels take in place of the bias; see [`crate::kernels::host::VectorUnit::rows_i8`].
    #[cfg(feature = "std")]
    shifted: alloc::sync::Arc<[i32]>,
}

/// The weights of an integer layer.
#[derive(Clone, Copy, Debug)]
enum Rows<'a> {
    /// `[position][vocab_size][fan_out]`: what each character adds at each position of level 0.
    Table { scaling: Scaling<'a>, table: &'a [i8], vocab_size: usize },
    /// `[vocab_size][vocab_size][width_out]`: the activations for every pair of characters at level 0.
    Pairs { activations: &'a [i8], vocab_size: usize },
    /// `[fan_out][fan_in]`.
    Int8 { scaling: Scaling<'a>, weights: &'a [i8] },
    /// `[fan_out][fan_in]`, two to a byte, each row a whole number of bytes.
    #[cfg(feature = "int4")]
    Int4 { scaling: Scaling<'a>, weights: &'a [u8] },
    /// Blocks of rows in the form of a kernel, with that many padded columns; the input takes `words`, and each of equal positions
    /// `position` of them.
    Packed { kernel: Packed, blocks: &'a [u32], columns: usize, words: usize, position: usize },
}

/// What a row has besides its weights; both `[fan_out]`.
#[derive(Clone, Copy, Debug)]
struct Scaling<'a> {
    bias: &'a [i32],
    multiplier: &'a [i32],
}

impl<'a> Scaling<'a> {
    fn take(slab: &mut Slab<'a>, fan_out: usize) -> Result<Self, FormatError> {
        Ok(Self { bias: slab.take_i32(fan_out)?, multiplier: slab.take_i32(fan_out)? })
    }

    /// Bias and multiplier of every row.
    fn rows(&self) -> impl Iterator<Item = (i32, i32)> + 'a {
        self.bias.iter().copied().zip(self.multiplier.iter().copied())
    }
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

impl<'a> LinearInt<'a> {
    /// Takes a layer from the front of the slab. `vocab_size` is needed for a table; `index` is for messages.
    ///
    /// # Errors
    /// [`FormatError`] if the slab is too short, or a value is not allowed.
    pub(crate) fn take(
        slab: &mut Slab<'a>,
        layout: Layout,
        format: WeightFormat,
        shape: LinearShape,
        activation: Activation,
        vocab_size: usize,
        index: usize,
    ) -> Result<Self, FormatError> {
        let LinearShape { positions, fan_out, .. } = shape;
        let rows = match (layout, format) {
            (_, WeightFormat::Table) => Rows::Table {
                scaling: Scaling::take(slab, fan_out)?,
                table: slab.take_i8(positions * vocab_size * fan_out)?,
                vocab_size,
            },
            (_, WeightFormat::Pairs) if positions == 2 => {
                let width = fan_out / activation.rows_per_value();
                Rows::Pairs { activations: slab.take_i8(vocab_size * vocab_size * width)?, vocab_size }
            }
            (Layout::RowMajor, WeightFormat::Int8) => {
                Rows::Int8 { scaling: Scaling::take(slab, fan_out)?, weights: slab.take_i8(shape.fan_in() * fan_out)? }
            }
            #[cfg(feature = "int4")]
            (Layout::RowMajor, WeightFormat::Int4) => Rows::Int4 {
                scaling: Scaling::take(slab, fan_out)?,
                weights: slab.take(shape.fan_in().div_ceil(2) * fan_out)?,
            },
            _ => {
                let kernel = Packed::new(layout, format).ok_or(FormatError::UnsupportedFormat)?;
                let columns = kernel.columns(&shape);
                if columns > kernel.max_columns() {
                    return Err(FormatError::BadDimension {
                        what: "number of padded columns",
                        found: columns,
                        min: 1,
                        max: kernel.max_columns(),
                    });
                }
                let blocks = fan_out.div_ceil(kernel.rows_per_block());
                let blocks = slab.take_u32(blocks * kernel.block_words(columns))?;
                let words = kernel.prepared_words(columns);
                Rows::Packed { kernel, blocks, columns, words, position: words / positions }
            }
        };
        let layer = Self {
            shape,
            activation,
            rows,
            #[cfg(feature = "std")]
            shifted: host::shifted_bias(&rows),
        };
        layer.check(index)?;
        Ok(layer)
    }

    /// Every sum of every row stays below [`ACC_LIMIT`] whatever the activations, every multiplier is positive or zero, no
    /// weight is the one number whose negative does not exist, and what belongs to no weight is zero.
    fn check(&self, index: usize) -> Result<(), FormatError> {
        let bad = FormatError::BadValue { layer: index };
        if let Rows::Pairs { activations, .. } = self.rows {
            return if activations.contains(&i8::MIN) { Err(bad) } else { Ok(()) };
        }
        let rows = match self.rows {
            Rows::Packed { kernel, .. } => self.shape.fan_out.next_multiple_of(kernel.rows_per_block()),
            _ => self.shape.fan_out,
        };
        for row in 0..rows {
            let magnitude = self.magnitude(row).ok_or(bad)?;
            let bias = self.bias(row).ok_or(bad)?;
            let multiplier = self.multiplier(row);
            let padding = row >= self.shape.fan_out;
            if multiplier < 0 || (padding && (magnitude != 0 || bias != 0 || multiplier != 0)) {
                return Err(bad);
            }
            if u64::from(bias.unsigned_abs()) + magnitude >= ACC_LIMIT as u64 {
                return Err(FormatError::AccumulatorOverflow { layer: index, row });
            }
        }
        Ok(())
    }

    /// The largest sum a row can give without its bias; `None` if it has a weight that is not allowed.
    fn magnitude(&self, row: usize) -> Option<u64> {
        // What an input and a weight are at most.
        let (largest, weight_max) = match self.rows {
            // One entry per position: no more than all of the largest.
            Rows::Table { .. } => (1, 127),
            Rows::Pairs { .. } => return Some(0),
            Rows::Int8 { .. } => (ACTIVATION_MAX, 127),
            #[cfg(feature = "int4")]
            Rows::Int4 { .. } => {
                // The half byte behind an odd last column belongs to no weight.
                let stray = self.shape.fan_in() % 2 == 1 && self.weight(row, 0, self.shape.fan_in()) != 0;
                (ACTIVATION_MAX, if stray { return None } else { 7 })
            }
            Rows::Packed { kernel, .. } => (ACTIVATION_MAX, if kernel.is_i4() { 7 } else { 127 }),
        };
        let mut sum = 0;
        for position in 0..self.shape.positions {
            // Values with their padding.
            let (width, padded) = match self.rows {
                Rows::Table { vocab_size, .. } => (vocab_size, vocab_size),
                Rows::Packed { kernel, .. } => {
                    let start = |position| kernel.start(&self.shape, position);
                    (self.shape.width_of(position), start(position + 1) - start(position))
                }
                _ => (self.shape.width_of(position), self.shape.width_of(position)),
            };
            for index in 0..padded {
                let weight = self.weight(row, position, index);
                if weight.unsigned_abs() > weight_max || (index >= width && weight != 0) {
                    return None;
                }
                sum += u64::from(weight.unsigned_abs());
            }
        }
        Some(sum * largest as u64)
    }

    /// The weight of a row for value `index` of a position; of a table, what the character `index` adds. 0 outside.
    pub fn weight(&self, row: usize, position: usize, index: usize) -> i8 {
        let column = self.shape.start(position, |width| width) + index;
        match self.rows {
            Rows::Table { table, vocab_size, .. } => {
                table.get((position * vocab_size + index) * self.shape.fan_out + row).copied().unwrap_or(0)
            }
            Rows::Pairs { .. } => 0,
            Rows::Int8 { weights, .. } => weights.get(row * self.shape.fan_in() + column).copied().unwrap_or(0),
            #[cfg(feature = "int4")]
            Rows::Int4 { weights, .. } => {
                let byte = weights.get(row * self.shape.fan_in().div_ceil(2) + column / 2).copied().unwrap_or(0);
                let (low, high) = unpack_i4(byte);
                if column.is_multiple_of(2) { low } else { high }
            }
            Rows::Packed { kernel, columns, .. } => {
                let (block, row) = self.block(row);
                kernel.weight(block, columns, row, kernel.start(&self.shape, position) + index)
            }
        }
    }

    /// The bias of a row; `None` if what stands in its place is none.
    pub fn bias(&self, row: usize) -> Option<i32> {
        match self.rows {
            Rows::Packed { kernel, columns, .. } => {
                let (block, row) = self.block(row);
                kernel.bias(block, columns, row)
            }
            _ => self.scaling().bias.get(row).copied(),
        }
    }

    /// The multiplier of a row; 0 outside.
    pub fn multiplier(&self, row: usize) -> i32 {
        match self.rows {
            Rows::Packed { kernel, columns, .. } => {
                let (block, row) = self.block(row);
                kernel.multiplier(block, columns, row)
            }
            _ => self.scaling().multiplier.get(row).copied().unwrap_or(0),
        }
    }

    /// The block that has a row, and the row's place in it.
    fn block(&self, row: usize) -> (&'a [u32], usize) {
        let Rows::Packed { kernel, blocks, columns, .. } = self.rows else { return (&[], 0) };
        let (rows, words) = (kernel.rows_per_block(), kernel.block_words(columns));
        let start = row / rows * words;
        (blocks.get(start..start + words).unwrap_or(&[]), row % rows)
    }

    /// Bias and multiplier where they are arrays of their own.
    fn scaling(&self) -> Scaling<'a> {
        match self.rows {
            Rows::Table { scaling, .. } | Rows::Int8 { scaling, .. } => scaling,
            #[cfg(feature = "int4")]
            Rows::Int4 { scaling, .. } => scaling,
            Rows::Pairs { .. } | Rows::Packed { .. } => Scaling { bias: &[], multiplier: &[] },
        }
    }

    /// The sizes of the level whose linear layer this is.
    pub fn level_shape(&self, dilation: usize) -> LevelShape {
        let LinearShape { positions: fuse, width: width_in, fan_out, .. } = self.shape;
        let width_out = self.width_out();
        let (fan_in, ring_len) = (fuse * width_in, (fuse - 1) * dilation);
        LevelShape { fuse, width_in, fan_in, fan_out, width_out, dilation, ring_len }
    }

    /// Words of the input in the form the layer's kernel reads.
    #[cfg(feature = "alloc")]
    pub fn input_words(&self) -> usize {
        let kernel = if let Rows::Packed { kernel, .. } = self.rows { Some(kernel) } else { None };
        input_words(kernel, self.shape)
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
        matches!(self.rows, Rows::Table { .. } | Rows::Pairs { .. })
    }

    /// How the weights are stored.
    pub fn format(&self) -> WeightFormat {
        match self.rows {
            Rows::Table { .. } => WeightFormat::Table,
            Rows::Pairs { .. } => WeightFormat::Pairs,
            Rows::Int8 { .. } => WeightFormat::Int8,
            #[cfg(feature = "int4")]
            Rows::Int4 { .. } => WeightFormat::Int4,
            Rows::Packed { kernel, .. } => {
                if kernel.is_i4() {
                    WeightFormat::Int4
                } else {
                    WeightFormat::Int8
                }
            }
        }
    }

    /// The numbers themselves, in no particular layout.
    #[cfg(feature = "alloc")]
    pub fn unpack(&self) -> Unpacked {
        let (shape, fan_out) = (self.shape, self.shape.fan_out);
        if let Rows::Pairs { activations, .. } = self.rows {
            return Unpacked { bias: Vec::new(), multiplier: Vec::new(), weights: activations.to_vec() };
        }
        let rows = 0..fan_out;
        let weights = match self.rows {
            Rows::Table { table, .. } => table.to_vec(),
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
    pub fn prepare(&self, position: usize, x: &[i8], input: &mut [u32]) -> i32 {
        if let Rows::Packed { kernel, position: words, .. } = self.rows {
            if self.shape.widths.is_some() {
                return self.prepare_level(position, x, input);
            }
            let prepared = input.get_mut(position * words..).and_then(|input| input.get_mut(..words));
            return prepared.map_or(0, |prepared| kernel.prepare(x, prepared));
        }
        let bytes: &mut [i8] = bytemuck::cast_slice_mut(input);
        copy_i8(x, bytes.get_mut(self.shape.start(position, |width| width)..).unwrap_or(&mut []));
        0
    }

    /// [`Self::prepare`] where positions have widths of their own.
    #[inline(never)]
    fn prepare_level(&self, position: usize, x: &[i8], input: &mut [u32]) -> i32 {
        let Rows::Packed { kernel, columns, words, .. } = self.rows else { return 0 };
        // Whole parts before it, each as many words.
        let part = kernel.part();
        let part_words = words / (columns / part).max(1);
        let at = |position| kernel.start(&self.shape, position) / part * part_words;
        let prepared = input.get_mut(at(position)..at(position + 1));
        prepared.map_or(0, |prepared| kernel.prepare(x, prepared))
    }

    /// [`Self::prepare`] of the oldest position, which lies in `slot`, and of the newest, which takes its place there; the
    /// sum of what both give.
    #[inline]
    pub fn prepare_ends(&self, newest: &[i8], slot: &mut [i8], input: &mut [u32]) -> i32 {
        // Bytes of a position, where the kernel reads activations as they are.
        let bytes = match self.rows {
            Rows::Packed { kernel, position, .. } if kernel.reads_bytes() => 4 * position,
            Rows::Packed { .. } => 0,
            _ => self.shape.width,
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
        match self.rows {
            Rows::Packed { kernel, position, .. }
                if self.shape.positions == 1 && kernel.reads_bytes() && 4 * position == x.len() =>
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
        match &self.rows {
            Rows::Packed { .. } => self.run_packed(input, out, Packed::rows),
            _ => self.run(input, out, |row| row),
        }
    }

    /// Values behind the activation.
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
        match &self.rows {
            Rows::Packed { .. } => self.run_packed(input, out, Packed::rows_tanh),
            _ => self.run(input, out, tanh_i8),
        }
        self.gate(out);
    }

    /// [`Self::forward_level`] for two characters: the usual level 0, of a table or of all pairs.
    #[inline(never)]
    pub fn look_up(&self, older: Token, newer: Token, out: &mut [i8]) {
        if let Rows::Pairs { activations, vocab_size } = &self.rows {
            return copy_i8(entries(activations, *vocab_size, older.into(), newer, self.width_out()), out);
        }
        #[cfg(feature = "std")]
        if self.forward_tanh_host(Input::Tokens(&[older, newer]), out) {
            return self.gate(out);
        }
        if let Rows::Table { scaling, table, vocab_size } = &self.rows {
            let fan_out = self.shape.fan_out;
            let older = entries(table, *vocab_size, 0, older, fan_out);
            let newer = entries(table, *vocab_size, 1, newer, fan_out);
            let Some(rows) = out.get_mut(..fan_out) else { return };
            table_tanh_i8(scaling.bias, scaling.multiplier, [older, newer], rows);
            self.gate(out);
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

    /// All rows of a packed layout.
    #[inline]
    fn run_packed<T>(&self, input: Input<'_>, out: &mut [T], packed: impl Fn(Packed, &[u32], &[u32], i32, &mut [T])) {
        if let (Rows::Packed { kernel, blocks, words, .. }, Input::Prepared(input, constant)) = (&self.rows, input) {
            let input = input.get(..*words);
            let out = out.get_mut(..self.shape.fan_out.next_multiple_of(kernel.rows_per_block()));
            if let (Some(input), Some(out)) = (input, out) {
                packed(*kernel, blocks, input, constant, out);
            }
        }
    }

    /// All rows of other layouts, each through `last`.
    // Not inlined: its registers would have to be saved for packed layouts, too.
    #[inline(never)]
    fn run<T>(&self, input: Input<'_>, out: &mut [T], last: impl Fn(i32) -> T) {
        match (&self.rows, input) {
            (Rows::Table { scaling, table, vocab_size }, Input::Tokens(tokens)) => {
                let fan_out = self.shape.fan_out;
                for (row, (out, (bias, multiplier))) in out.iter_mut().zip(scaling.rows()).enumerate() {
                    let sum = tokens.iter().enumerate().fold(bias, |sum: i32, (position, &token)| {
                        let entries = entries(table, *vocab_size, position, token, fan_out);
                        sum.wrapping_add(entries.get(row).map_or(0, |&entry| entry.into()))
                    });
                    *out = last(requantize(sum, multiplier));
                }
            }
            (Rows::Int8 { scaling, weights }, Input::Prepared(input, _)) => {
                let (fan_in, x) = (self.shape.fan_in(), bytemuck::cast_slice::<u32, i8>(input));
                let Some(x) = x.get(..fan_in) else { return };
                let rows = scaling.rows().zip(weights.chunks_exact(fan_in.max(1)));
                for (out, ((bias, multiplier), weights)) in out.iter_mut().zip(rows) {
                    *out = last(requantize(bias.wrapping_add(dot_i8(weights, x)), multiplier));
                }
            }
            #[cfg(feature = "int4")]
            (Rows::Int4 { scaling, weights }, Input::Prepared(input, _)) => {
                let (fan_in, x) = (self.shape.fan_in(), bytemuck::cast_slice::<u32, i8>(input));
                let Some(x) = x.get(..fan_in) else { return };
                let rows = scaling.rows().zip(weights.chunks_exact(fan_in.div_ceil(2).max(1)));
                for (out, ((bias, multiplier), weights)) in out.iter_mut().zip(rows) {
                    *out = last(requantize(bias.wrapping_add(dot_i4(weights, x)), multiplier));
                }
            }
            _ => {}
        }
    }
}

/// Words of a layer's input of activations: as its kernel reads them, else the activations themselves.
pub(crate) fn input_words(kernel: Option<Packed>, shape: LinearShape) -> usize {
    match kernel {
        Some(kernel) => kernel.prepared_words(kernel.columns(&shape)),
        None => shape.fan_in().div_ceil(size_of::<u32>()),
    }
}

/// What a table has for a character at a position, or pairs for a character behind another: `[rows]`, of pairs as many as values.
fn entries(table: &[i8], vocab_size: usize, position: usize, token: Token, rows: usize) -> &[i8] {
    let start = (position * vocab_size + usize::from(token)) * rows;
    table.get(start..).and_then(|table| table.get(..rows)).unwrap_or(&[])
}
