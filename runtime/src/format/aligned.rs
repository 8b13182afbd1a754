use alloc::vec;
use alloc::vec::Vec;

use super::slab_offset;

/// Blob on the heap, aligned as [`crate::Model::new`] requires (a `Vec<u8>` guarantees no alignment).
///
/// Its slab starts at the start of a computer's cache line, so that wide loads of weights seldom cross one.
#[derive(Debug)]
pub struct AlignedBlob {
    words: Vec<u128>,
    /// Offset of the blob, in bytes.
    start: usize,
    len: usize,
}

/// Bytes of a cache line.
const LINE: usize = 64;

impl AlignedBlob {
    /// Returns the bytes of the blob.
    pub fn as_bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[self.start..][..self.len]
    }
}

impl From<&[u8]> for AlignedBlob {
    fn from(bytes: &[u8]) -> Self {
        let mut words = vec![0_u128; (bytes.len() + LINE).div_ceil(size_of::<u128>())];
        let header_len = bytes.get(6..8).map_or(0, |len| usize::from(u16::from_le_bytes([len[0], len[1]])));
        // A multiple of 16, because both terms are.
        let start = (words.as_ptr().addr() + slab_offset(header_len)).wrapping_neg() % LINE;
        bytemuck::cast_slice_mut::<u128, u8>(&mut words)[start..][..bytes.len()].copy_from_slice(bytes);
        Self { words, start, len: bytes.len() }
    }
}

// A clone of the vector may be aligned differently.
impl Clone for AlignedBlob {
    fn clone(&self) -> Self {
        Self::from(self.as_bytes())
    }
}
