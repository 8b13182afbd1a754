#![doc = include_str!("../FORMAT.md")]

#[cfg(feature = "alloc")]
mod encode;

#[cfg(feature = "alloc")]
pub use encode::{AlignedBlob, LinearWeights, Weights, encode};
use serde::{Deserialize, Serialize};

use crate::config::{Activation, Level, MAX_LEVELS};
use crate::error::FormatError;

/// The first four bytes of every blob.
pub const MAGIC: [u8; 4] = *b"MORE";
/// The version of the format this runtime writes and reads.
pub const VERSION: u16 = 1;
/// Bytes before the postcard header.
pub const PREAMBLE_BYTES: usize = 20;
/// The slab begins at a multiple of this many bytes from the start of the blob.
pub const SLAB_ALIGN: usize = 16;
/// The blob itself must lie at a multiple of this many bytes.
pub const BLOB_ALIGN: usize = 4;
/// Largest magnitude of a weight. Sums of products stay finite below it: `MAX_WIDTH * MAX_FUSE * (2^40)^2 < f32::MAX`.
pub const MAX_WEIGHT: f32 = (1_u64 << 40) as f32;

/// The number format of weights and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Precision {
    /// IEEE 754 single precision throughout.
    F32,
}

/// The order in which weights lie in the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Layout {
    /// Eight rows interleaved; see [`crate::kernels`].
    Rows8,
}

/// Where a model comes from and how good it was when it was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance<'a> {
    /// Name of the recipe it was trained with.
    #[serde(borrow)]
    pub preset: &'a str,
    /// Version of the exporter that wrote the blob.
    #[serde(borrow)]
    pub exporter_version: &'a str,
    /// SHA-256 of the word list it was trained on.
    pub data_sha256: [u8; 32],
    /// Seed of the training.
    pub seed: u64,
    /// Mean negative log-likelihood on the dev split in f32, in micronats per character, so that a chip without an
    /// FPU can print it; [`u32::MAX`] if it was not measured.
    pub dev_nll_micronats: u32,
}

/// The postcard part of the blob. The exporter writes it; [`crate::Model`] checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header<'a> {
    /// Number format.
    pub precision: Precision,
    /// Order of the weights.
    pub layout: Layout,
    /// Activation of every level.
    pub activation: Activation,
    /// Values per character embedding.
    pub n_embd: u16,
    /// The levels, from the characters up.
    pub levels: heapless::Vec<Level, MAX_LEVELS>,
    /// The characters in the order of their indices, the boundary's sign first.
    #[serde(borrow)]
    pub vocab: &'a str,
    /// Where the model comes from.
    #[serde(borrow)]
    pub provenance: Provenance<'a>,
}

/// The fixed bytes before the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// Bytes of the postcard header.
    pub header_len: u16,
    /// Bytes of the whole blob.
    pub total_len: u32,
    /// 32-bit words of [`crate::State`] the model needs. Redundant, and checked, but readable in a `const fn`.
    pub state_words: u32,
    /// CRC-32 of everything but these four bytes.
    pub crc32: u32,
}

impl Preamble {
    /// The bytes as they stand in a blob.
    pub fn to_bytes(&self) -> [u8; PREAMBLE_BYTES] {
        let mut bytes = [0; PREAMBLE_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.header_len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.total_len.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.state_words.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.crc32.to_le_bytes());
        bytes
    }
}

/// Offset of the slab: the end of the header, rounded up.
pub const fn slab_offset(header_len: usize) -> usize {
    (PREAMBLE_BYTES + header_len).next_multiple_of(SLAB_ALIGN)
}

/// The checksum of a blob: CRC-32 (ISO-HDLC, as in zlib and PNG) over all bytes but the checksum's own four.
pub fn checksum(blob: &[u8]) -> u32 {
    static CRC: crc::Crc<u32, crc::Table<1>> = crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = CRC.digest();
    digest.update(blob.get(..PREAMBLE_BYTES - 4).unwrap_or(blob));
    digest.update(blob.get(PREAMBLE_BYTES..).unwrap_or(&[]));
    digest.finalize()
}

/// The parts of a blob whose frame has been checked: lengths, version, alignment, checksum, header, padding.
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    pub header: Header<'a>,
    pub state_words: usize,
    pub slab: &'a [u8],
}

pub(crate) fn parse(blob: &[u8]) -> Result<Parts<'_>, FormatError> {
    let have = blob.len();
    let short = FormatError::Truncated { need: PREAMBLE_BYTES, have };
    let (magic, rest) = blob.split_first_chunk::<4>().ok_or(short)?;
    if *magic != MAGIC {
        return Err(FormatError::BadMagic { found: *magic });
    }
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(FormatError::UnsupportedVersion { found: version, supported: VERSION });
    }
    let (header_len, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
    let (total_len, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
    let (state_words, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
    let (stored, _) = rest.split_first_chunk::<4>().ok_or(short)?;
    let header_len = usize::from(u16::from_le_bytes(*header_len));
    // A usize has at least 32 bits here (see lib.rs).
    let total_len = u32::from_le_bytes(*total_len) as usize;
    let state_words = u32::from_le_bytes(*state_words) as usize;
    let stored = u32::from_le_bytes(*stored);

    if have < total_len {
        return Err(FormatError::Truncated { need: total_len, have });
    }
    if have > total_len {
        return Err(FormatError::TrailingBytes { extra: have - total_len });
    }
    if !blob.as_ptr().addr().is_multiple_of(BLOB_ALIGN) {
        return Err(FormatError::Misaligned { need: BLOB_ALIGN });
    }
    let computed = checksum(blob);
    if computed != stored {
        return Err(FormatError::ChecksumMismatch { stored, computed });
    }
    // Header lengths are 16 bits wide: no overflow.
    let slab_start = slab_offset(header_len);
    let need = FormatError::Truncated { need: slab_start, have };
    let header = blob.get(PREAMBLE_BYTES..PREAMBLE_BYTES + header_len).ok_or(need)?;
    let padding = blob.get(PREAMBLE_BYTES + header_len..slab_start).ok_or(need)?;
    let slab = blob.get(slab_start..).ok_or(need)?;
    if padding.iter().any(|&byte| byte != 0) {
        return Err(FormatError::NonZeroPadding);
    }
    let (header, left): (Header<'_>, _) = postcard::take_from_bytes(header).map_err(|_| FormatError::BadHeader)?;
    if !left.is_empty() {
        return Err(FormatError::BadHeader);
    }
    Ok(Parts { header, state_words, slab })
}

/// Gives its contents the alignment a blob needs (16, so that wide loads are aligned too). Made by [`crate::include_blob!`].
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct Aligned<T: ?Sized>(pub T);

/// `include_bytes!` for a blob: the same bytes as a `&'static [u8]`, aligned as [`crate::Model::new`] asks.
#[macro_export]
macro_rules! include_blob {
    ($path:expr) => {{
        static BLOB: &$crate::Aligned<[u8]> = &$crate::Aligned(*include_bytes!($path));
        &BLOB.0
    }};
}
