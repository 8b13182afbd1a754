//! The packed integer layouts behind one door: which kernel a layer runs on is decided when the model is loaded.

#![cfg_attr(
    not(any(feature = "dual16", feature = "lanes16", feature = "vector128")),
    allow(
        unused_variables,
        unreachable_code,
        dead_code,
        reason = "a build without packed layouts has no kernel to choose"
    )
)]

#[cfg(feature = "alloc")]
mod blocks;
#[cfg(feature = "dual16")]
pub mod dual16;
#[cfg(feature = "lanes16")]
pub mod lanes16;
#[cfg(feature = "vector128")]
pub mod vector128;
use crate::config::LinearShape;
use crate::format::{Layout, WeightFormat};
use crate::rows::round_up;

/// A packed layout with weights of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// [`dual16`], 8 bits.
    #[cfg(feature = "dual16")]
    Dual16I8,
    /// [`dual16`], 4 bits.
    #[cfg(all(feature = "dual16", feature = "int4"))]
    Dual16I4,
    /// [`lanes16`], 8 bits.
    #[cfg(feature = "lanes16")]
    Lanes16I8,
    /// [`lanes16`], 4 bits.
    #[cfg(all(feature = "lanes16", feature = "int4"))]
    Lanes16I4,
    /// [`vector128`], 8 bits.
    #[cfg(feature = "vector128")]
    Vector128I8,
    /// [`vector128`], 4 bits.
    #[cfg(all(feature = "vector128", feature = "int4"))]
    Vector128I4,
}

/// Calls the function of this name of the layout's module; constants likewise.
macro_rules! of {
    ($packed:expr, $i8:ident / $i4:ident $arguments:tt) => {
        match $packed {
            #[cfg(feature = "dual16")]
            Packed::Dual16I8 => of!(@ dual16, $i8 $arguments),
            #[cfg(all(feature = "dual16", feature = "int4"))]
            Packed::Dual16I4 => of!(@ dual16, $i4 $arguments),
            #[cfg(feature = "lanes16")]
            Packed::Lanes16I8 => of!(@ lanes16, $i8 $arguments),
            #[cfg(all(feature = "lanes16", feature = "int4"))]
            Packed::Lanes16I4 => of!(@ lanes16, $i4 $arguments),
            #[cfg(feature = "vector128")]
            Packed::Vector128I8 => of!(@ vector128, $i8 $arguments),
            #[cfg(all(feature = "vector128", feature = "int4"))]
            Packed::Vector128I4 => of!(@ vector128, $i4 $arguments),
        }
    };
    (@ $module:ident, $name:ident const) => { $module::$name };
    (@ $module:ident, $name:ident ($($argument:expr),*)) => { $module::$name($($argument),*) };
}

impl Packed {
    /// The kernel for weights of this format in this layout; `None` if there is none, or it was left out of this build.
    pub const fn new(layout: Layout, format: WeightFormat) -> Option<Self> {
        match (layout, format) {
            #[cfg(feature = "dual16")]
            (Layout::Dual16, WeightFormat::Int8) => Some(Self::Dual16I8),
            #[cfg(all(feature = "dual16", feature = "int4"))]
            (Layout::Dual16, WeightFormat::Int4) => Some(Self::Dual16I4),
            #[cfg(feature = "lanes16")]
            (Layout::Lanes16, WeightFormat::Int8) => Some(Self::Lanes16I8),
            #[cfg(all(feature = "lanes16", feature = "int4"))]
            (Layout::Lanes16, WeightFormat::Int4) => Some(Self::Lanes16I4),
            #[cfg(feature = "vector128")]
            (Layout::Vector128, WeightFormat::Int8) => Some(Self::Vector128I8),
            #[cfg(all(feature = "vector128", feature = "int4"))]
            (Layout::Vector128, WeightFormat::Int4) => Some(Self::Vector128I4),
            _ => None,
        }
    }

    /// Whether the weights have 4 bits.
    pub fn is_i4(self) -> bool {
        match self {
            #[cfg(feature = "dual16")]
            Self::Dual16I8 => false,
            #[cfg(all(feature = "dual16", feature = "int4"))]
            Self::Dual16I4 => true,
            #[cfg(feature = "lanes16")]
            Self::Lanes16I8 => false,
            #[cfg(all(feature = "lanes16", feature = "int4"))]
            Self::Lanes16I4 => true,
            #[cfg(feature = "vector128")]
            Self::Vector128I8 => false,
            #[cfg(all(feature = "vector128", feature = "int4"))]
            Self::Vector128I4 => true,
        }
    }

    /// Most padded columns of a layer: what is wider is refused when a model is loaded.
    pub fn most_columns(self) -> usize {
        match self {
            #[cfg(feature = "lanes16")]
            Self::Lanes16I8 => lanes16::LIMIT,
            #[cfg(all(feature = "lanes16", feature = "int4"))]
            Self::Lanes16I4 => lanes16::LIMIT,
            #[allow(unreachable_patterns, reason = "where there is no other layout")]
            _ => 2 * crate::limits::MAX_FAN_IN,
        }
    }

    /// Whether a prepared input is the activations themselves.
    pub fn reads_bytes(self) -> bool {
        match self {
            #[cfg(feature = "vector128")]
            Self::Vector128I8 => true,
            #[cfg(all(feature = "vector128", feature = "int4"))]
            Self::Vector128I4 => true,
            #[allow(unreachable_patterns, reason = "where there is no other layout")]
            _ => false,
        }
    }

    /// Rows of a block, a divisor of [`crate::rows::LANES`].
    pub fn rows_per_block(self) -> usize {
        of!(self, ROWS_I8 / ROWS_I4 const)
    }

    /// Columns that are prepared together.
    pub fn part(self) -> usize {
        of!(self, PART_I8 / PART_I4 const)
    }

    /// Columns that the kernel reads together.
    pub fn group(self) -> usize {
        of!(self, COLUMNS_I8 / COLUMNS_I4 const)
    }

    /// A width, or the columns of some positions with the one behind them, with its padding: whole parts; behind the last position,
    /// whole groups of all.
    #[inline]
    pub fn padded(self, columns: usize, last: bool) -> usize {
        round_up(columns, if last { self.group() } else { self.part() })
    }

    /// The first column of a position, those before it padded.
    #[inline]
    pub fn start(self, shape: &LinearShape<'_>, position: usize) -> usize {
        let start = shape.start(position, |width| self.padded(width, false));
        self.padded(start, position == shape.positions)
    }

    /// Columns with all their padding.
    #[inline]
    pub fn columns(self, shape: &LinearShape<'_>) -> usize {
        shape.columns(self.part(), self.group())
    }

    /// Words of a block of rows with that many padded columns.
    pub fn block_words(self, columns: usize) -> usize {
        of!(self, block_words_i8 / block_words_i4(columns))
    }

    /// Words of the prepared input for that many padded columns: whole parts.
    #[inline]
    pub fn prepared_words(self, columns: usize) -> usize {
        columns / self.part() * self.part_words()
    }

    /// Words of the prepared input of [`Self::part`] columns.
    fn part_words(self) -> usize {
        of!(self, PART_WORDS_I8 / PART_WORDS_I4 const)
    }

    /// Brings the activations of one position into the form the kernel reads; gives their share of [`Self::rows`]' constant.
    pub fn prepare(self, x: &[i8], prepared: &mut [u32]) -> i32 {
        of!(self, prepare_i8 / prepare_i4(x, prepared))
    }

    /// The requantized rows of so many blocks; nothing if `out` does not take them.
    #[inline]
    pub fn run(self, count: usize, blocks: &[u32], prepared: &[u32], constant: i32, out: Out<'_>) {
        let rows = count * self.rows_per_block();
        match out {
            Out::Rows(out) => self.rows(blocks, prepared, constant, out.get_mut(..rows).unwrap_or(&mut [])),
            Out::Tanh(out) => self.rows_tanh(blocks, prepared, constant, out.get_mut(..rows).unwrap_or(&mut [])),
        }
    }

    /// The requantized rows of whole blocks, `out.len()` of them.
    pub fn rows(self, blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
        of!(self, rows_i8 / rows_i4(blocks, prepared, constant, out));
    }

    /// As [`Self::rows`], and [`crate::quant::tanh_i8`] of them.
    pub fn rows_tanh(self, blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i8]) {
        of!(self, rows_tanh_i8 / rows_tanh_i4(blocks, prepared, constant, out));
    }

    /// A weight of a block.
    pub fn weight(self, block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        of!(self, weight_i8 / weight_i4(block, columns, row, column))
    }

    /// The bias of a row of a block, if there is one it can stand for.
    pub fn bias(self, block: &[u32], columns: usize, row: usize) -> Option<i32> {
        of!(self, bias_i8 / bias_i4(block, columns, row))
    }

    /// The multiplier of a row of a block.
    pub fn multiplier(self, block: &[u32], columns: usize, row: usize) -> i32 {
        of!(self, multiplier_i8 / multiplier_i4(block, columns, row))
    }

    /// The blocks of a layer.
    #[cfg(feature = "alloc")]
    pub fn pack(
        self,
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
        rows: usize,
        columns: usize,
    ) -> alloc::vec::Vec<u32> {
        of!(self, pack_i8 / pack_i4(bias, multiplier, weight, rows, columns))
    }
}

/// Where rows go.
#[derive(Debug)]
pub enum Out<'o> {
    /// As they are.
    Rows(&'o mut [i32]),
    /// [`crate::quant::tanh_i8`] of them.
    Tanh(&'o mut [i8]),
}

#[cfg(feature = "row-major")]
impl Out<'_> {
    /// Writes one row; does nothing beyond the end.
    #[inline]
    pub fn set(&mut self, row: usize, sum: i32) {
        match self {
            Self::Rows(out) => out.get_mut(row).into_iter().for_each(|out| *out = sum),
            Self::Tanh(out) => out.get_mut(row).into_iter().for_each(|out| *out = crate::quant::tanh_i8(sum)),
        }
    }
}
