//! The numbers of a layer in any stored order: to be checked, or to be written in another order.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::{HALVES, LinearInt, ROW_MAJOR, ROW_MAJOR_I4};
use crate::config::LinearShape;
use crate::error::FormatError;
use crate::format::WeightFormat;
use crate::format::slab::Slab;
use crate::kernels::{HALF_BYTES, half_words, unpack_i4};
use crate::quant::{ACC_LIMIT, ACTIVATION_MAX};
use crate::rows::round_up;

/// Layer with its shape, which determines the place of each number.
#[derive(Clone, Debug)]
pub struct Stored<'n, 'c> {
    linear: &'c LinearInt<'n>,
    shape: &'c LinearShape<'c>,
    /// Columns of a row, with all padding. In a table, each position is one column.
    columns: usize,
}

/// Numbers of an integer layer, in no particular layout.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegerLayer {
    /// Storage format of the weights in a blob.
    pub format: WeightFormat,
    /// Bias of each row; empty for pairs and for halves.
    pub bias: Vec<i32>,
    /// Multiplier of each row, not negative; empty for pairs.
    pub multiplier: Vec<i32>,
    /// Weights: `[fan_out][fan_in]` row by row; for a table `[fuse][vocab_size][fan_out]`; for pairs
    /// `[vocab_size][vocab_size][width_out]`. 4-bit weights, -7 to 7, are one per byte here too. For halves, the bytes
    /// of the sums as a blob has them, `[2][vocab_size][vocab_size][fan_out, rounded up to 4][3]`.
    pub weights: Vec<i8>,
}

/// Returns whether a value is -128, whose negative does not fit.
#[inline(never)]
pub(crate) fn has_lowest(values: &[u8]) -> bool {
    values.iter().any(|&value| value as i8 == i8::MIN)
}

impl<'n, 'c> Stored<'n, 'c> {
    #[inline]
    pub(crate) const fn new(linear: &'c LinearInt<'n>, shape: &'c LinearShape<'c>) -> Self {
        let (part, group) = match linear.kernel {
            Some(kernel) => (kernel.part(), kernel.group()),
            // Two to a byte.
            None if ROW_MAJOR_I4 && matches!(linear.format, WeightFormat::Int4) => (1, 2),
            None => (1, 1),
        };
        Self { linear, shape, columns: shape.columns(part, group) }
    }

    /// Returns the columns of a row, with all padding. In a table, each position is one column.
    #[inline]
    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the words of the layer's [`super::Input`].
    #[inline]
    pub(crate) const fn input_words(&self) -> usize {
        match self.linear.kernel {
            Some(kernel) => kernel.prepared_words(self.columns),
            None => round_up(self.columns, size_of::<u32>()) / size_of::<u32>(),
        }
    }

    /// Takes the layer's arrays from the front of the slab, and checks them.
    ///
    /// For any activations, every sum of every row must remain below [`ACC_LIMIT`]; every multiplier must be positive
    /// or zero; no weight may be -128; padding must be zero. Returns `None` if the slab is too short, if a check fails,
    /// or if the format cannot be read. `layer` is for the message.
    #[inline(never)]
    pub(crate) fn take(&self, layer: usize, slab: &mut Slab<'_>) -> Option<()> {
        let Self { linear: &LinearInt { fan_out, vocab_size, kernel, format, .. }, columns, .. } = *self;
        let mut block_words = 0;
        // Rows to check, number of biases and of multipliers, and bytes of weights.
        let (rows, scaling, weights) = match (kernel, format) {
            (Some(kernel), _) => {
                if columns > kernel.most_columns() {
                    return slab.refuse(FormatError::BadDimension {
                        what: "number of padded columns",
                        found: columns,
                        min: 1,
                        max: kernel.most_columns(),
                    });
                }
                let rows = round_up(fan_out, kernel.rows_per_block());
                block_words = kernel.block_words(columns);
                (rows, 0, rows / kernel.rows_per_block() * block_words * size_of::<u32>())
            }
            (_, WeightFormat::Table) => (fan_out, fan_out, columns * vocab_size * fan_out),
            // The stored values are the output of level 0, so there are no rows.
            (_, WeightFormat::Pairs) if self.shape.positions == 2 => {
                (0, 0, vocab_size * vocab_size * self.linear.width_out())
            }
            (_, WeightFormat::Halves) if HALVES && self.shape.positions == 2 => return self.take_halves(layer, slab),
            (_, WeightFormat::Int8) if ROW_MAJOR => (fan_out, fan_out, columns * fan_out),
            (_, WeightFormat::Int4) if ROW_MAJOR_I4 => (fan_out, fan_out, columns / 2 * fan_out),
            _ => return slab.refuse(FormatError::UnsupportedFormat),
        };
        for _ in 0..2 {
            slab.take(scaling * size_of::<i32>())?;
        }
        let weights = slab.take(weights)?;
        let bad = FormatError::BadValue { layer };
        if matches!(format, WeightFormat::Table | WeightFormat::Pairs) && has_lowest(weights) {
            return slab.refuse(bad);
        }
        // Each row has its block and its place in the block.
        let (mut block, mut at) = (self.linear.words, 0);
        for row in 0..rows {
            let stored = Row { block, row: at };
            let (Some(magnitude), Some(bias)) = (self.magnitude(stored), self.bias_of(stored)) else {
                return slab.refuse(bad);
            };
            let (multiplier, bias) = (self.multiplier_of(stored), bias.unsigned_abs());
            if multiplier < 0 || (row >= fan_out && magnitude | bias | multiplier as u32 != 0) {
                return slab.refuse(bad);
            }
            // No overflow: the sum is below 2^31 + 2^30, as there are at most 2^17 columns.
            if bias + magnitude >= ACC_LIMIT as u32 {
                return slab.refuse(FormatError::AccumulatorOverflow { layer, row });
            }
            at += 1;
            if kernel.is_some_and(|kernel| at == kernel.rows_per_block()) {
                (block, at) = (block.get(block_words..).unwrap_or(&[]), 0);
            }
        }
        Some(())
    }

    /// Takes multipliers and the halves of sums, and checks them: for any two pairs of characters, the sum of each row
    /// must remain below [`ACC_LIMIT`]. The smallest older half of each row must be zero, so that there is only one way
    /// to divide a sum.
    // The checks also ensure that the sum of two halves fits their 24 bits, which `add_halves` requires.
    #[inline(never)]
    fn take_halves(&self, layer: usize, slab: &mut Slab<'_>) -> Option<()> {
        let LinearInt { fan_out, vocab_size, .. } = *self.linear;
        let pairs = vocab_size * vocab_size;
        let bytes = half_words(fan_out) * size_of::<u32>();
        slab.take(fan_out * size_of::<i32>())?;
        let (older, newer) = slab.take(2 * pairs * bytes)?.split_at_checked(pairs * bytes)?;
        for row in 0..bytes / HALF_BYTES {
            let ([low, high], [newer_low, newer_high]) = (range(older, bytes, row), range(newer, bytes, row));
            let is_wrong = if row < fan_out {
                // All multipliers are in the slab, because they were taken.
                low != 0 || self.linear.words.get(row).is_none_or(|&multiplier| multiplier > i32::MAX as u32)
            } else {
                high | newer_high != 0
            };
            if is_wrong {
                return slab.refuse(FormatError::BadValue { layer });
            }
            // No overflow: both have 24 bits.
            if row < fan_out && (newer_low == 0 || high + newer_high >= 2 * ACC_LIMIT as u32) {
                return slab.refuse(FormatError::AccumulatorOverflow { layer, row });
            }
        }
        Some(())
    }

    /// Returns the largest sum of a row without its bias, or `None` if a weight is not allowed.
    // Not inlined, because the caller needs the registers.
    #[inline(never)]
    fn magnitude(&self, row: Row<'_>) -> Option<u32> {
        if self.linear.format == WeightFormat::Table {
            // One entry at each position. The entries have been checked.
            return Some((ACTIVATION_MAX as usize * self.columns) as u32);
        }
        let weight_max = self.linear.format.weight_max();
        let (mut sum, mut column) = (0, 0);
        for position in 0..self.shape.positions {
            let padding = column + self.shape.width_of(position);
            let end = if position + 1 == self.shape.positions { self.columns } else { self.padded(padding) };
            while column < end {
                let magnitude = u32::from(self.weight_of(row, column).unsigned_abs());
                if magnitude > if column < padding { weight_max } else { 0 } {
                    return None;
                }
                sum += magnitude;
                column += 1;
            }
        }
        // Multiplied by the largest activation.
        Some(sum * ACTIVATION_MAX as u32)
    }

    /// Returns the first column of the next position, after one that ends here without its padding.
    #[inline]
    fn padded(&self, columns: usize) -> usize {
        self.linear.kernel.map_or(columns, |kernel| kernel.padded(columns, false))
    }

    /// Returns the place of a row.
    #[cfg(feature = "alloc")]
    fn row(&self, row: usize) -> Row<'n> {
        let Some(kernel) = self.linear.kernel else { return Row { block: self.linear.words, row } };
        let rows = kernel.rows_per_block();
        Row { block: &self.linear.words[row / rows * kernel.block_words(self.columns)..], row: row % rows }
    }

    #[inline]
    fn weight_of(&self, Row { block, row }: Row<'_>, column: usize) -> i8 {
        if let Some(kernel) = self.linear.kernel {
            return kernel.weight(block, self.columns, row, column);
        }
        let byte = |index: usize| self.linear.bytes().get(index).copied().unwrap_or(0);
        match self.linear.format {
            WeightFormat::Int4 if ROW_MAJOR_I4 => {
                let (low, high) = unpack_i4(byte((row * self.columns + column) / 2) as u8);
                if column.is_multiple_of(2) { low } else { high }
            }
            // 8 bits: other formats have no weights in rows.
            _ if ROW_MAJOR => byte(row * self.columns + column),
            _ => 0,
        }
    }

    #[inline]
    fn bias_of(&self, Row { block, row }: Row<'_>) -> Option<i32> {
        match self.linear.kernel {
            Some(kernel) => kernel.bias(block, self.columns, row),
            None => self.linear.scaling().bias.get(row).copied(),
        }
    }

    #[inline]
    fn multiplier_of(&self, Row { block, row }: Row<'_>) -> i32 {
        match self.linear.kernel {
            Some(kernel) => kernel.multiplier(block, self.columns, row),
            None => self.linear.scaling().multiplier.get(row).copied().unwrap_or(0),
        }
    }

    /// Returns the layer's numbers in no particular layout.
    #[cfg(feature = "alloc")]
    pub fn unpack(&self) -> IntegerLayer {
        let Self { linear, shape, .. } = self;
        let format = linear.format;
        let bytes = |len: usize| linear.bytes()[..len].to_vec();
        if linear.format == WeightFormat::Pairs {
            let weights = bytes(linear.vocab_size.pow(2) * linear.width_out());
            return IntegerLayer { format, bias: Vec::new(), multiplier: Vec::new(), weights };
        }
        if linear.format == WeightFormat::Halves {
            let multiplier = linear.words[..linear.fan_out].iter().map(|&word| word as i32).collect();
            let entries = &linear.words[round_up(linear.fan_out, super::ARRAY_WORDS)..];
            let words = 2 * linear.vocab_size.pow(2) * half_words(linear.fan_out);
            let weights = bytemuck::cast_slice(&entries[..words]).to_vec();
            return IntegerLayer { format, bias: Vec::new(), multiplier, weights };
        }
        let rows = || (0..linear.fan_out).map(|row| self.row(row));
        let weights = match linear.format {
            WeightFormat::Table => bytes(self.columns * linear.vocab_size * linear.fan_out),
            _ => {
                let places = (0..shape.positions).flat_map(|position| {
                    let start = shape.start(position, |width| self.padded(width));
                    start..start + shape.width_of(position)
                });
                let columns: Vec<usize> = places.collect();
                rows().flat_map(|row| columns.iter().map(move |&column| self.weight_of(row, column))).collect()
            }
        };
        IntegerLayer {
            format,
            // A bias exists: it was checked when the layer was taken.
            bias: rows().map(|row| self.bias_of(row).unwrap_or(0)).collect(),
            multiplier: rows().map(|row| self.multiplier_of(row)).collect(),
            weights,
        }
    }
}

/// Returns the smallest and the largest number of 24 bits of a row, whose entries are `bytes` apart.
fn range(entries: &[u8], bytes: usize, row: usize) -> [u32; 2] {
    let numbers = entries.chunks_exact(bytes).filter_map(|entry| {
        let &[low, middle, high] = entry.get(row * HALF_BYTES..)?.first_chunk()?;
        Some(u32::from_le_bytes([low, middle, high, 0]))
    });
    numbers.fold([u32::MAX, 0], |[low, high], number| [low.min(number), high.max(number)])
}

/// Place of a row.
#[derive(Clone, Copy)]
struct Row<'a> {
    /// Words that begin with the row's block, or with all rows.
    block: &'a [u32],
    /// Index of the row in the block, or among all rows.
    row: usize,
}
