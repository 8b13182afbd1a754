//! The input of a layer, in the form that its kernel reads.

use super::LinearInt;
use crate::kernels::layout::PackedKernel;
use crate::kernels::{copy_i8, exchange_i8};
use crate::vocab::Token;

/// True if [`Input::exchange`] leaves the padding of the columns to [`Input::words`], which is rarely called where the
/// vector unit knows the number of columns.
const PADS_LATE: bool = cfg!(kernel = "mve");

/// Input of a layer, to which positions are added one by one.
///
/// With a kernel, it holds activations as the kernel prepares them, padded according to [`PackedKernel::padded`].
/// Without one, it holds activations or characters as they are, side by side.
#[derive(Debug)]
pub struct Input<'x> {
    kernel: Option<PackedKernel>,
    words: &'x mut [u32],
    /// Columns of all positions so far, with their padding; see also [`PADS_LATE`].
    columns: usize,
    /// Number that the kernel adds to each row.
    constant: i32,
}

impl<'x> Input<'x> {
    /// Returns an empty input for a layer. `words` has room for [`super::Stored::input_words`], and may be longer.
    #[inline]
    pub fn new(linear: &LinearInt<'_>, words: &'x mut [u32]) -> Self {
        Self { kernel: linear.kernel, words, columns: 0, constant: 0 }
    }

    /// Returns whether the layer's kernel reads a single position of `columns` columns as it is.
    #[inline]
    pub fn reads(linear: &LinearInt<'_>, columns: usize) -> bool {
        linear.kernel.is_some_and(|kernel| kernel.reads_bytes() && kernel.padded(columns, true) == columns)
    }

    /// Returns the input of a layer's only position, in place. Requires that [`Self::reads`] is true.
    #[inline]
    pub fn of(linear: &LinearInt<'_>, x: &'x mut [i8]) -> Self {
        let columns = x.len();
        // The buffer of the activations begins at a whole word.
        let words = bytemuck::try_cast_slice_mut(x).unwrap_or_default();
        Self { kernel: linear.kernel, words, columns, constant: 0 }
    }

    /// Adds a position.
    #[inline(never)]
    pub fn push(&mut self, x: &[i8], last: bool) {
        let start = self.columns;
        let end = start + x.len();
        let Some(kernel) = self.kernel else {
            let bytes: &mut [i8] = bytemuck::cast_slice_mut(self.words);
            copy_i8(x, bytes.get_mut(start..end).unwrap_or(&mut []));
            self.columns = end;
            return;
        };
        self.columns = kernel.padded(end, last);
        let place = kernel.prepared_words(start)..kernel.prepared_words(self.columns);
        if let Some(prepared) = self.words.get_mut(place) {
            self.constant = self.constant.wrapping_add(kernel.prepare(x, prepared));
        }
    }

    /// Returns the input of two positions: the oldest, from the start of `slot`, and the newest, which replaces the
    /// oldest there.
    ///
    /// Requires that the kernel reads activations as they are, without padding between them; otherwise does nothing and
    /// returns `words`.
    #[inline]
    pub fn exchange(
        linear: &LinearInt<'_>,
        newest: &[i8],
        slot: &mut [i8],
        words: &'x mut [u32],
    ) -> Result<Self, &'x mut [u32]> {
        let (kernel, len) = (linear.kernel, newest.len());
        let reads_bytes = kernel.is_none_or(|kernel| kernel.reads_bytes() && kernel.padded(len, false) == len);
        if !reads_bytes || !exchange_i8(newest, slot, bytemuck::cast_slice_mut(words), len) {
            return Err(words);
        }
        // A kernel that reads activations may find anything in the padding, because the weights there are 0.
        let columns = match kernel {
            Some(kernel) if !PADS_LATE => kernel.padded(2 * len, true),
            _ => 2 * len,
        };
        Ok(Self { kernel, words, columns, constant: 0 })
    }

    /// Returns the input at another place in memory, so that the compiler can keep this one in registers.
    #[inline]
    pub(super) fn moved(self) -> Self {
        if cfg!(not(kernel = "mve")) {
            return self;
        }
        let Self { kernel, words, columns, constant } = self;
        Self { kernel, words, columns, constant }
    }

    /// Returns the prepared input, not cut to length, for kernels that know the length.
    #[cfg(kernel = "mve")]
    #[inline]
    pub(super) fn words_and_more(&self) -> &[u32] {
        self.words
    }

    /// Returns the prepared input.
    #[inline]
    pub(super) fn words(&self) -> &[u32] {
        let words = self.kernel.map_or(0, |kernel| {
            kernel.prepared_words(if PADS_LATE { kernel.padded(self.columns, true) } else { self.columns })
        });
        self.words.get(..words).unwrap_or(&[])
    }

    /// Returns the characters of a layer without a kernel.
    #[inline]
    pub(super) fn tokens(&self) -> &[Token] {
        bytemuck::cast_slice::<u32, u8>(self.words).get(..self.columns).unwrap_or(&[])
    }

    /// Returns the activations of a layer without a kernel.
    #[inline]
    pub(super) fn bytes(&self) -> &[i8] {
        bytemuck::cast_slice(self.tokens())
    }

    /// Returns the sum of the constants of all positions.
    #[inline]
    pub(super) fn constant(&self) -> i32 {
        self.constant
    }
}
