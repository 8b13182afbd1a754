//! The reader's slab: takes arrays from the bytes one by one, and keeps the reason if a blob is refused.

#[cfg(feature = "f32")]
use super::MAX_WEIGHT;
use super::{BLOB_ALIGN, MAGIC, PREAMBLE_BYTES, SLAB_ALIGN, VERSION, checksum};
use crate::error::FormatError;
use crate::limits::Violation;

/// Part of the slab that has not been read yet. Every array in it begins at a multiple of [`SLAB_ALIGN`].
///
/// Methods return an `Option`, which is cheaper to pass on than an error, and store the reason of a refusal in `error`.
#[derive(Clone, Debug)]
pub struct Slab<'a> {
    rest: &'a [u8],
    /// Bytes of the whole slab.
    len: usize,
    /// Reason of the refusal, if the slab is refused.
    pub error: FormatError,
}

impl<'a> Slab<'a> {
    /// Makes a reader of a whole blob. [`Self::frame`] then takes the bytes before the slab.
    pub fn new(blob: &'a [u8]) -> Self {
        Self { rest: blob, len: blob.len(), error: FormatError::UnsupportedFormat }
    }

    /// Stores the reason of a refusal and returns `None`.
    #[inline]
    pub fn refuse<T>(&mut self, error: FormatError) -> Option<T> {
        self.error = error;
        None
    }

    /// Stores a violated limit and returns `None`.
    // Not inlined: the two words of the violation stay in the registers in which they were returned.
    #[cold]
    #[inline(never)]
    pub fn refuse_dimension<T>(&mut self, violation: Violation) -> Option<T> {
        self.refuse(violation.into())
    }

    /// Checks the frame of a blob: lengths, version, alignment, checksum, padding. Returns the header, not decoded yet,
    /// and the words of the state. The slab remains to be read.
    #[inline]
    pub fn frame(&mut self) -> Option<(&'a [u8], usize)> {
        let (blob, have) = (self.rest, self.rest.len());
        if let Some(&found) = blob.first_chunk()
            && found != MAGIC
        {
            return self.refuse(FormatError::BadMagic { found });
        }
        let Some(preamble) = blob.first_chunk::<PREAMBLE_BYTES>() else {
            return self.refuse(FormatError::Truncated { need: PREAMBLE_BYTES, have });
        };
        let Ok(&[_, version, total_len, state_words, stored]) = bytemuck::try_from_bytes::<[u32; 5]>(preamble) else {
            return self.refuse(FormatError::Misaligned { need: BLOB_ALIGN });
        };
        let (version, header_len) = (version as u16, (version >> 16) as usize);
        // No truncation: a usize has at least 32 bits here (see lib.rs).
        let total_len = total_len as usize;
        if version != VERSION {
            return self.refuse(FormatError::UnsupportedVersion { found: version, supported: VERSION });
        }
        if have < total_len {
            return self.refuse(FormatError::Truncated { need: total_len, have });
        }
        if have > total_len {
            return self.refuse(FormatError::TrailingBytes { extra: have - total_len });
        }
        let computed = checksum(blob);
        if computed != stored {
            return self.refuse(FormatError::ChecksumMismatch { stored, computed });
        }
        // The header and its padding are like an array that begins where the blob does. No overflow: the length has 16
        // bits.
        let front = self.take(PREAMBLE_BYTES + header_len);
        if let FormatError::SlabSizeMismatch { need, have } = self.error {
            self.error = FormatError::Truncated { need, have };
        }
        let front = front?;
        self.len = self.rest.len();
        Some((front.get(PREAMBLE_BYTES..)?, state_words as usize))
    }

    /// Takes an array and the padding after it.
    #[inline(never)]
    pub fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let padding = bytes.wrapping_neg() % SLAB_ALIGN;
        // No overflow: dimensions are limited (see `config`), so this is far below 2^32.
        let padded = bytes + padding;
        let Some((part, rest)) = self.rest.split_at_checked(padded) else {
            // No overflow: the bytes taken are in memory, and `padded` is below 2^31.
            let need = self.taken().wrapping_add(padded);
            return self.refuse(FormatError::SlabSizeMismatch { need, have: self.len });
        };
        let (array, padding) = part.split_at_checked(bytes)?;
        if padding.iter().any(|&byte| byte != 0) {
            return self.refuse(FormatError::NonZeroPadding);
        }
        self.rest = rest;
        Some(array)
    }

    /// Returns the bytes not yet taken as whole words. They begin at a multiple of 16 bytes from an aligned start.
    pub fn words(&self) -> Option<&'a [u32]> {
        bytemuck::try_cast_slice(self.rest.get(..self.rest.len() & !3)?).ok()
    }

    /// Returns the number of bytes taken.
    pub fn taken(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Takes `len` values, and refuses values that are not finite or above [`MAX_WEIGHT`].
    #[cfg(feature = "f32")]
    pub fn take_f32(&mut self, len: usize) -> Option<()> {
        let start = self.taken() / size_of::<f32>();
        let bytes = self.take(len * size_of::<f32>())?;
        let values = bytemuck::try_cast_slice::<u8, f32>(bytes).ok()?;
        // NaN is in no range.
        match values.iter().position(|value| !(-MAX_WEIGHT..=MAX_WEIGHT).contains(value)) {
            Some(index) => self.refuse(FormatError::BadWeight { index: start + index }),
            None => Some(()),
        }
    }

    /// Refuses bytes that are left over.
    pub fn finish(&mut self) -> Option<()> {
        if self.rest.is_empty() {
            return Some(());
        }
        self.refuse(FormatError::SlabSizeMismatch { need: self.taken(), have: self.len })
    }
}
