//! Blobs as bytes: memory of exactly their size, and their length and checksum made right.

use runtime::FormatError;
use runtime::format::{PREAMBLE_BYTES, checksum};

/// Largest blob that is made of a smaller one.
pub const MAX_REPAIRED: usize = 1024;

/// Bytes at a multiple of four, or a few bytes behind one, in memory that ends with the word in which they end: whoever reads
/// beyond is found by AddressSanitizer.
pub struct Exact {
    words: Vec<u32>,
    start: usize,
    len: usize,
}

impl Exact {
    /// A copy that begins `start` bytes behind a multiple of four.
    pub fn new(bytes: &[u8], start: usize) -> Self {
        let mut words = vec![0_u32; (start + bytes.len()).div_ceil(size_of::<u32>())];
        bytemuck::cast_slice_mut::<u32, u8>(&mut words)[start..][..bytes.len()].copy_from_slice(bytes);
        Self { words, start, len: bytes.len() }
    }

    /// The copy.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[self.start..][..self.len]
    }
}

/// Makes length and checksum right, where there is room for them.
pub fn seal(bytes: &mut [u8]) {
    let len = bytes.len();
    if len >= PREAMBLE_BYTES {
        bytes[8..12].copy_from_slice(&(len as u32).to_le_bytes());
        let crc = checksum(bytes);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Makes right what the error says is wrong; whether that can be done. The checks behind it are reached then.
pub fn repair(bytes: &mut Vec<u8>, error: FormatError) -> bool {
    match error {
        FormatError::BadMagic { .. } => bytes[..4].copy_from_slice(b"MORE"),
        FormatError::UnsupportedVersion { supported, .. } => bytes[4..6].copy_from_slice(&supported.to_le_bytes()),
        FormatError::TrailingBytes { .. } | FormatError::ChecksumMismatch { .. } => {}
        // Of the blob, or of what its header would need.
        FormatError::Truncated { need, .. } if (PREAMBLE_BYTES..=MAX_REPAIRED).contains(&need) => bytes.resize(need, 0),
        FormatError::StateSizeMismatch { need, .. } => bytes[12..16].copy_from_slice(&(need as u32).to_le_bytes()),
        FormatError::SlabSizeMismatch { need, have } => {
            let len = bytes.len() - have + need;
            if len > MAX_REPAIRED {
                return false;
            }
            bytes.resize(len, 0);
        }
        _ => return false,
    }
    seal(bytes);
    true
}
