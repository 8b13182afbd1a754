//! Packed layouts of integer weights: the trait that each layout implements, and the choice among them when a model is
//! loaded.

#![cfg_attr(
    not(any(feature = "dual16", feature = "lanes16", feature = "vector128")),
    allow(
        unused_variables,
        unreachable_code,
        unused_macros,
        unused_imports,
        dead_code,
        reason = "a build without packed layouts has no kernel to choose"
    )
)]

#[cfg(feature = "dual16")]
pub mod dual16;
#[cfg(feature = "lanes16")]
pub mod lanes16;
#[cfg(feature = "vector128")]
pub mod vector128;

use crate::activation::Curve;
use crate::config::LinearShape;
use crate::format::{Layout, WeightFormat};
use crate::kernels::Out;
use crate::limits::MAX_FAN_IN;
use crate::rows::round_up;

/// Packed layout for weights of one width: blocks of rows, in the order in which a kernel reads them.
///
/// The functions do not panic and touch only the slices that they receive, for any lengths and values. If lengths do
/// not match, results are unspecified.
pub trait PackedLayout {
    /// Name of the layout and the width, for instance `dual16_i8`.
    const NAME: &'static str;
    /// Layout that the type implements.
    const LAYOUT: Layout;
    /// Weight format that the type implements.
    const FORMAT: WeightFormat;
    /// True if this build computes in assembly; otherwise it runs the definitions.
    const ASSEMBLY: bool;
    /// Rows of a block, a divisor of [`crate::rows::LANES`].
    const ROWS: usize;
    /// Columns that the kernel reads together. The columns of a layer, over all positions, are padded to a multiple of
    /// it.
    const GROUP: usize;
    /// Columns that are prepared together. Each position of a layer is padded to a multiple of it, the last one to
    /// whole groups.
    const PART: usize;
    /// Words of the prepared input for [`Self::PART`] columns.
    const PART_WORDS: usize;
    /// Maximum number of padded columns of a layer. The loader refuses a model with a wider layer.
    const MOST_COLUMNS: usize = 2 * MAX_FAN_IN;
    /// True if a prepared input is the activations themselves.
    const READS_BYTES: bool = false;

    /// Returns the words of a block, a multiple of four. `columns` is a multiple of [`Self::GROUP`].
    fn block_words(columns: usize) -> usize;

    /// Returns the words of the prepared input. `columns` is a multiple of [`Self::PART`].
    #[inline]
    fn prepared_words(columns: usize) -> usize {
        columns / Self::PART * Self::PART_WORDS
    }

    /// Prepares the activations of one position, -127 to 127, in the form that the kernel reads. Returns the position's
    /// contribution to the constant of [`Self::rows`].
    ///
    /// `prepared` has the words of the position and its padding. Padding counts as zero.
    fn prepare(x: &[i8], prepared: &mut [u32]) -> i32;

    /// Computes the rows of whole blocks:
    /// `out[row] = requantize(bias[row] + sum(weights[row][c] * x[c]), multiplier[row])`.
    ///
    /// Shapes: `blocks` `[n][block_words(columns)]`, `prepared` `[prepared_words(columns)]`, `out` `[n * ROWS]`.
    /// `constant` is the sum of the results of [`Self::prepare`] for all positions.
    fn rows(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]);

    /// Computes [`Self::rows`], and writes the curve's entry of each row to `out`.
    fn rows_curve(blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]);

    /// Definition of [`Self::prepare`].
    fn prepare_portable(x: &[i8], prepared: &mut [u32]) -> i32;

    /// Definition of [`Self::rows`].
    fn rows_portable(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]);

    /// Definition of [`Self::rows_curve`].
    fn rows_curve_portable(blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]);

    /// Returns a weight of a block, or 0 outside the block. For a word that no writer produces, the weight may be
    /// out of range.
    fn weight(block: &[u32], columns: usize, row: usize, column: usize) -> i8;

    /// Returns the bias of a row of a block, or `None` if no bias has the row's start value.
    fn bias(block: &[u32], columns: usize, row: usize) -> Option<i32>;

    /// Returns the multiplier of a row of a block.
    fn multiplier(block: &[u32], columns: usize, row: usize) -> i32;

    /// Writes one block. Does nothing if the length of `block` is not that of a block.
    ///
    /// `bias` and `multiplier` belong to the block's rows; missing ones are 0. `weight(row, column)` is called for
    /// every padded column; it returns 0 for padding, and at most [`WeightFormat::weight_max`] in magnitude. In every
    /// row, `|bias| + 127 sum |weight| < 2^23`.
    fn write_block(
        block: &mut [u32],
        columns: usize,
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
    );

    /// Returns the blocks of a layer; `weight` is as for [`Self::write_block`]. In rows of the last block beyond
    /// `rows`, everything is zero.
    ///
    /// Every combination of bias, multiplier and weights has exactly one encoding, and no bit is unused.
    #[cfg(feature = "alloc")]
    fn pack(
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
        rows: usize,
        columns: usize,
    ) -> alloc::vec::Vec<u32> {
        let words = Self::block_words(columns);
        let mut blocks = alloc::vec![0; words * rows.div_ceil(Self::ROWS)];
        for (block, first) in blocks.chunks_exact_mut(words).zip((0..rows).step_by(Self::ROWS)) {
            let of_block = |values: &'_ [i32]| -> alloc::vec::Vec<i32> {
                values.iter().take(rows).skip(first).take(Self::ROWS).copied().collect()
            };
            let weight = |row: usize, column: usize| if first + row < rows { weight(first + row, column) } else { 0 };
            Self::write_block(block, columns, &of_block(bias), &of_block(multiplier), weight);
        }
        blocks
    }
}

/// Defines the computing functions of [`PackedLayout`]: the module `chosen` runs, the module `portable` is the
/// definition.
macro_rules! computing {
    () => {
        #[inline]
        fn prepare(x: &[i8], prepared: &mut [u32]) -> i32 {
            chosen::prepare(x, prepared)
        }

        #[inline]
        fn rows(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
            chosen::rows(blocks, prepared, constant, out);
        }

        #[inline]
        fn rows_curve(
            blocks: &[u32],
            prepared: &[u32],
            constant: i32,
            curve: &$crate::activation::Curve,
            out: &mut [i8],
        ) {
            chosen::rows_curve(blocks, prepared, constant, curve, out);
        }

        fn prepare_portable(x: &[i8], prepared: &mut [u32]) -> i32 {
            portable::prepare(x, prepared)
        }

        fn rows_portable(blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
            portable::rows(blocks, prepared, constant, out);
        }

        fn rows_curve_portable(
            blocks: &[u32],
            prepared: &[u32],
            constant: i32,
            curve: &$crate::activation::Curve,
            out: &mut [i8],
        ) {
            portable::rows_curve(blocks, prepared, constant, curve, out);
        }
    };
}
use computing;

/// Returns the values of a block's rows; missing ones are 0.
fn of_rows<const ROWS: usize>(values: &[i32]) -> [i32; ROWS] {
    core::array::from_fn(|row| values.get(row).copied().unwrap_or(0))
}

/// Calls a macro with some arguments and the only list of this build's packed layouts.
macro_rules! with_layouts {
    ($macro:ident $arguments:tt) => {
        $macro! { $arguments
            #[cfg(feature = "dual16")] dual16::Dual16I8,
            #[cfg(all(feature = "dual16", feature = "int4"))] dual16::Dual16I4,
            #[cfg(feature = "lanes16")] lanes16::Lanes16I8,
            #[cfg(all(feature = "lanes16", feature = "int4"))] lanes16::Lanes16I4,
            #[cfg(feature = "vector128")] vector128::Vector128I8,
            #[cfg(all(feature = "vector128", feature = "int4"))] vector128::Vector128I4,
        }
    };
}

/// Declares the enum of the layouts.
macro_rules! declare {
    (() $($(#[$attribute:meta])* $module:ident::$layout:ident,)*) => {
        /// A packed layout for weights of one width, as a value: the kernel of a layer, chosen when a model is loaded.
        ///
        /// Each method calls the function of the same name in [`PackedLayout`]. The enum has no pointers to functions,
        /// so that the program's calls determine a bound of its stack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum PackedKernel {
            $(
                #[doc = concat!("[`", stringify!($module), "::", stringify!($layout), "`].")]
                $(#[$attribute])*
                $layout,
            )*
        }

        impl PackedKernel {
            /// All kernels of this build.
            pub const ALL: &'static [Self] = &[$($(#[$attribute])* Self::$layout,)*];

            /// Returns the kernel for a layout and weight format, or `None` if there is none or this build does not
            /// include it.
            #[inline]
            pub const fn new(layout: Layout, format: WeightFormat) -> Option<Self> {
                match (layout, format) {
                    $(
                        $(#[$attribute])*
                        (<$module::$layout as PackedLayout>::LAYOUT, <$module::$layout as PackedLayout>::FORMAT) => {
                            Some(Self::$layout)
                        }
                    )*
                    _ => None,
                }
            }
        }
    };
}
with_layouts! { declare () }

/// Evaluates an expression with the kernel's type.
macro_rules! for_layout {
    ($kernel:expr, $type:ident => $value:expr) => {
        with_layouts! { choose ($kernel, $type => $value) }
    };
}

macro_rules! choose {
    (($kernel:expr, $type:ident => $value:expr) $($(#[$attribute:meta])* $module:ident::$layout:ident,)*) => {
        match $kernel {
            $(
                $(#[$attribute])*
                PackedKernel::$layout => {
                    type $type = $module::$layout;
                    $value
                }
            )*
        }
    };
}

impl PackedKernel {
    /// Returns [`PackedLayout::NAME`].
    pub fn name(self) -> &'static str {
        for_layout!(self, L => L::NAME)
    }

    /// Returns [`PackedLayout::LAYOUT`].
    pub const fn layout(self) -> Layout {
        for_layout!(self, L => L::LAYOUT)
    }

    /// Returns [`PackedLayout::FORMAT`].
    pub fn format(self) -> WeightFormat {
        for_layout!(self, L => L::FORMAT)
    }

    /// Returns [`PackedLayout::MOST_COLUMNS`].
    pub fn most_columns(self) -> usize {
        for_layout!(self, L => L::MOST_COLUMNS)
    }

    /// Returns [`PackedLayout::READS_BYTES`].
    pub fn reads_bytes(self) -> bool {
        for_layout!(self, L => L::READS_BYTES)
    }

    /// Returns [`PackedLayout::ROWS`].
    pub fn rows_per_block(self) -> usize {
        for_layout!(self, L => L::ROWS)
    }

    /// Returns [`PackedLayout::PART`].
    pub const fn part(self) -> usize {
        for_layout!(self, L => L::PART)
    }

    /// Returns [`PackedLayout::GROUP`].
    pub const fn group(self) -> usize {
        for_layout!(self, L => L::GROUP)
    }

    /// Rounds a number of columns up: to whole parts, or to whole groups if the columns include the layer's last
    /// position.
    #[inline]
    pub fn padded(self, columns: usize, last: bool) -> usize {
        round_up(columns, if last { self.group() } else { self.part() })
    }

    /// Returns the first column of a position. The positions before it are padded.
    #[inline]
    pub fn start(self, shape: &LinearShape<'_>, position: usize) -> usize {
        let start = shape.start(position, |width| self.padded(width, false));
        self.padded(start, position == shape.positions)
    }

    /// Returns the columns of a layer with all padding.
    #[inline]
    pub fn columns(self, shape: &LinearShape<'_>) -> usize {
        shape.columns(self.part(), self.group())
    }

    /// Calls [`PackedLayout::block_words`].
    pub fn block_words(self, columns: usize) -> usize {
        for_layout!(self, L => L::block_words(columns))
    }

    /// Calls [`PackedLayout::prepared_words`].
    #[inline]
    pub const fn prepared_words(self, columns: usize) -> usize {
        columns / self.part() * self.part_words()
    }

    const fn part_words(self) -> usize {
        for_layout!(self, L => L::PART_WORDS)
    }

    /// Calls [`PackedLayout::prepare`].
    pub fn prepare(self, x: &[i8], prepared: &mut [u32]) -> i32 {
        for_layout!(self, L => L::prepare(x, prepared))
    }

    /// Computes `count` blocks, or nothing if `out` is too short for them.
    #[inline]
    pub fn run(self, count: usize, blocks: &[u32], prepared: &[u32], constant: i32, out: Out<'_>) {
        match out.first(count * self.rows_per_block()) {
            Out::Rows(out) => self.rows(blocks, prepared, constant, out),
            Out::Curve(out, curve) => self.rows_curve(blocks, prepared, constant, curve, out),
        }
    }

    /// Calls [`PackedLayout::rows`].
    pub fn rows(self, blocks: &[u32], prepared: &[u32], constant: i32, out: &mut [i32]) {
        for_layout!(self, L => L::rows(blocks, prepared, constant, out));
    }

    /// Calls [`PackedLayout::rows_curve`].
    pub fn rows_curve(self, blocks: &[u32], prepared: &[u32], constant: i32, curve: &Curve, out: &mut [i8]) {
        for_layout!(self, L => L::rows_curve(blocks, prepared, constant, curve, out));
    }

    /// Calls [`PackedLayout::weight`].
    pub fn weight(self, block: &[u32], columns: usize, row: usize, column: usize) -> i8 {
        for_layout!(self, L => L::weight(block, columns, row, column))
    }

    /// Calls [`PackedLayout::bias`].
    pub fn bias(self, block: &[u32], columns: usize, row: usize) -> Option<i32> {
        for_layout!(self, L => L::bias(block, columns, row))
    }

    /// Calls [`PackedLayout::multiplier`].
    pub fn multiplier(self, block: &[u32], columns: usize, row: usize) -> i32 {
        for_layout!(self, L => L::multiplier(block, columns, row))
    }

    /// Calls [`PackedLayout::pack`].
    #[cfg(feature = "alloc")]
    pub fn pack(
        self,
        bias: &[i32],
        multiplier: &[i32],
        weight: impl Fn(usize, usize) -> i8,
        rows: usize,
        columns: usize,
    ) -> alloc::vec::Vec<u32> {
        for_layout!(self, L => L::pack(bias, multiplier, weight, rows, columns))
    }
}
