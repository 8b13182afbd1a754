use crate::error::FormatError;
use crate::format::{Slab, WeightFormat};
use crate::kernels::dot_i8;
#[cfg(feature = "int4")]
use crate::kernels::{dot_i4, unpack_i4};
use crate::quant::{ACC_LIMIT, ACTIVATION_MAX, requantize};
use crate::vocab::Token;

/// The weights of an integer layer.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// `[fuse][vocab_size][fan_out]`: what each character adds at each position of level 0.
    Table(&'a [i8]),
    /// `[fan_out][fan_in]`.
    Int8(&'a [i8]),
    /// `[fan_out][fan_in]`, two to a byte, each row a whole number of bytes.
    #[cfg(feature = "int4")]
    Int4(&'a [u8]),
}

/// `acc = W x + bias` in integers, then `requantize(acc, multiplier)` per row.
#[derive(Clone, Copy, Debug)]
pub struct LinearInt<'a> {
    bias: &'a [i32],
    multiplier: &'a [i32],
    rows: Rows<'a>,
    fan_in: usize,
}

impl<'a> LinearInt<'a> {
    /// Takes a layer from the front of the slab: bias, multipliers, weights.
    ///
    /// `shape` is `[fan_in, fan_out]`, for a table `[vocab_size * fuse, fan_out]`; `index` is for messages.
    ///
    /// # Errors
    /// [`FormatError`] if the slab is too short, or a value is not allowed.
    pub(crate) fn take(
        slab: &mut Slab<'a>,
        format: WeightFormat,
        [fan_in, fan_out]: [usize; 2],
        index: usize,
    ) -> Result<Self, FormatError> {
        let bias = slab.take_i32(fan_out)?;
        let multiplier = slab.take_i32(fan_out)?;
        let rows = match format {
            WeightFormat::Table => Rows::Table(slab.take_i8(fan_in * fan_out)?),
            WeightFormat::Int8 => Rows::Int8(slab.take_i8(fan_in * fan_out)?),
            #[cfg(feature = "int4")]
            WeightFormat::Int4 => Rows::Int4(slab.take(fan_in.div_ceil(2) * fan_out)?),
            _ => return Err(FormatError::UnsupportedFormat),
        };
        let layer = Self { bias, multiplier, rows, fan_in };
        layer.check(index)?;
        Ok(layer)
    }

    /// Every sum of every row stays below [`ACC_LIMIT`] whatever the activations, every multiplier is positive or zero, and
    /// no weight is the one number whose negative does not exist.
    fn check(&self, index: usize) -> Result<(), FormatError> {
        if self.multiplier.iter().any(|&multiplier| multiplier < 0) {
            return Err(FormatError::BadValue { layer: index });
        }
        let fits = |sum: u64| sum < ACC_LIMIT as u64;
        for (row, &bias) in self.bias.iter().enumerate() {
            let magnitude = self.magnitude(row).ok_or(FormatError::BadValue { layer: index })?;
            if !fits(u64::from(bias.unsigned_abs()) + magnitude) {
                return Err(FormatError::AccumulatorOverflow { layer: index, row });
            }
        }
        Ok(())
    }

    /// The largest sum a row can give without its bias; `None` if it has a weight that is not allowed.
    fn magnitude(&self, row: usize) -> Option<u64> {
        let activation = ACTIVATION_MAX as u64;
        match self.rows {
            // One entry per position: no more than all of the largest.
            Rows::Table(table) => {
                let rows = self.bias.len().max(1);
                let entries = table.get(row..).unwrap_or(&[]).iter().step_by(rows);
                entries.into_iter().try_fold(0, |sum, &entry| Some(sum + magnitude_i8(entry)?))
            }
            Rows::Int8(weights) => {
                let weights = weights.get(row * self.fan_in..(row + 1) * self.fan_in)?;
                weights.iter().try_fold(0, |sum, &weight| Some(sum + magnitude_i8(weight)? * activation))
            }
            #[cfg(feature = "int4")]
            Rows::Int4(weights) => {
                let bytes = self.fan_in.div_ceil(2);
                let weights = weights.get(row * bytes..(row + 1) * bytes)?;
                weights.iter().enumerate().try_fold(0, |sum, (at, &byte)| {
                    let (low, high) = unpack_i4(byte);
                    // The half behind the last column must be empty.
                    let stray = 2 * at + 1 >= self.fan_in && high != 0;
                    let pair = u64::from(low.unsigned_abs()) + u64::from(high.unsigned_abs());
                    (low != -8 && high != -8 && !stray).then(|| sum + pair * activation)
                })
            }
        }
    }

    /// Requantized sums for the activations `x`, one for each row, in order.
    pub fn forward(&self, x: &[i8], mut each: impl FnMut(usize, i32)) {
        let scaled = self.bias.iter().zip(self.multiplier).enumerate();
        match self.rows {
            Rows::Table(_) => {}
            Rows::Int8(weights) => {
                for ((row, (&bias, &multiplier)), weights) in scaled.zip(weights.chunks_exact(self.fan_in.max(1))) {
                    each(row, requantize(bias.wrapping_add(dot_i8(weights, x)), multiplier));
                }
            }
            #[cfg(feature = "int4")]
            Rows::Int4(weights) => {
                let bytes = self.fan_in.div_ceil(2).max(1);
                for ((row, (&bias, &multiplier)), weights) in scaled.zip(weights.chunks_exact(bytes)) {
                    each(row, requantize(bias.wrapping_add(dot_i4(weights, x)), multiplier));
                }
            }
        }
    }

    /// Requantized sums of a table for the characters of a level's positions, oldest first.
    pub fn look_up(&self, vocab_size: usize, tokens: &[Token], mut each: impl FnMut(usize, i32)) {
        let Rows::Table(table) = self.rows else { return };
        let fan_out = self.bias.len();
        for (row, (&bias, &multiplier)) in self.bias.iter().zip(self.multiplier).enumerate() {
            let sum = tokens.iter().enumerate().fold(bias, |acc, (position, &token)| {
                let at = (position * vocab_size + usize::from(token)) * fan_out + row;
                acc.wrapping_add(table.get(at).map_or(0, |&entry| i32::from(entry)))
            });
            each(row, requantize(sum, multiplier));
        }
    }

    /// Whether the layer is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.rows, Rows::Table(_))
    }
}

/// `None` for -128.
fn magnitude_i8(value: i8) -> Option<u64> {
    (value != i8::MIN).then(|| u64::from(value.unsigned_abs()))
}
