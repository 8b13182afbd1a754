//! Helpers for blobs as bytes: memory of exactly their size, and repairs of their length and checksum.

use runtime::FormatError;
use runtime::format::{PREAMBLE_BYTES, checksum};

/// Largest size in bytes to which `repair` extends a blob.
pub const MAX_REPAIRED: usize = 1024;

/// Copy of some bytes, at a multiple of four or a few bytes after one. Its memory ends with the word that holds the
/// last byte, so that AddressSanitizer finds reads beyond the end.
pub struct Exact {
    words: Vec<u32>,
    start: usize,
    len: usize,
}

impl Exact {
    /// Copies bytes to an address that is `start` bytes after a multiple of four.
    pub fn new(bytes: &[u8], start: usize) -> Self {
        let mut words = vec![0_u32; (start + bytes.len()).div_ceil(size_of::<u32>())];
        bytemuck::cast_slice_mut::<u32, u8>(&mut words)[start..][..bytes.len()].copy_from_slice(bytes);
        Self { words, start, len: bytes.len() }
    }

    /// Returns the copy.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[self.start..][..self.len]
    }
}

/// Corrects the length and the checksum if the bytes have room for them.
pub fn seal(bytes: &mut [u8]) {
    let len = bytes.len();
    if len >= PREAMBLE_BYTES {
        bytes[8..12].copy_from_slice(&(len as u32).to_le_bytes());
        let crc = checksum(bytes);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Corrects what the error complains of, so that the loader reaches its next checks. Returns whether a correction
/// exists.
pub fn repair(bytes: &mut Vec<u8>, error: FormatError) -> bool {
    match error {
        FormatError::BadMagic { .. } => bytes[..4].copy_from_slice(b"MORE"),
        FormatError::UnsupportedVersion { supported, .. } => bytes[4..6].copy_from_slice(&supported.to_le_bytes()),
        FormatError::TrailingBytes { .. } | FormatError::ChecksumMismatch { .. } => {}
        // The needed length: that of the blob, or the one that its header implies.
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
