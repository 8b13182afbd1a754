//! The input of a layer, in the form in which its kernel reads it.

use super::LinearInt;
use crate::kernels::layout::PackedKernel;
use crate::kernels::{copy_i8, exchange_i8};
use crate::vocab::Token;

/// The input of a layer, to which positions are added one by one.
///
/// With a kernel: activations as the kernel prepares them, padded as [`PackedKernel::padded`] says. Without one: activations or
/// characters as they are, side by side.
#[derive(Debug)]
pub struct Input<'x> {
    kernel: Option<PackedKernel>,
    words: &'x mut [u32],
    /// Of all positions so far, with their padding.
    columns: usize,
    /// The number that the kernel adds to each row.
    constant: i32,
}

impl<'x> Input<'x> {
    /// Creates an empty input for a layer; `words` has room for [`super::Stored::input_words`], and may have more.
    #[inline]
    pub fn new(linear: &LinearInt<'_>, words: &'x mut [u32]) -> Self {
        Self { kernel: linear.kernel, words, columns: 0, constant: 0 }
    }

    /// Returns whether the layer's kernel reads one position of so many columns as it is.
    #[inline]
    pub fn reads(linear: &LinearInt<'_>, columns: usize) -> bool {
        linear.kernel.is_some_and(|kernel| kernel.reads_bytes() && kernel.padded(columns, true) == columns)
    }

    /// Creates the input of a layer's only position in place; only where [`Self::reads`].
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

    /// Adds both of two positions: the oldest, from the start of `slot`, and the newest, which takes its place there. Only where the
    /// kernel reads activations as they are and needs no padding between them; otherwise does nothing and returns `false`.
    #[inline]
    pub fn exchange(&mut self, newest: &[i8], slot: &mut [i8]) -> bool {
        let len = newest.len();
        let reads_bytes = self.kernel.is_none_or(|kernel| kernel.reads_bytes() && kernel.padded(len, false) == len);
        let done = reads_bytes && exchange_i8(newest, slot, bytemuck::cast_slice_mut(self.words), len);
        if done {
            // The padding may be anything for a kernel that reads activations: its weights are 0.
            self.columns = self.kernel.map_or(2 * len, |kernel| kernel.padded(2 * len, true));
        }
        done
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
        let words = self.kernel.map_or(0, |kernel| kernel.prepared_words(self.columns));
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
