// The example in it writes a model in f32; where that is left out, it is no test.
#![cfg_attr(any(feature = "f32", not(doctest)), doc = include_str!("../FORMAT.md"))]

#[cfg(feature = "alloc")]
mod encode;
pub(crate) mod header;
#[cfg(all(feature = "alloc", feature = "int8"))]
mod relayout;

#[cfg(feature = "alloc")]
pub use encode::{AlignedBlob, IntegerLayer, Layers, LinearWeights, encode};
#[cfg(all(feature = "alloc", feature = "int8"))]
pub use relayout::{relayout, tabulate_pairs};
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
    /// Activations in 8 bits, weights in 8; see [`crate::quant`].
    Int8,
    /// Activations in 8 bits, weights of the inner levels in 4.
    Int4,
}

/// The order in which weights lie in the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Layout {
    /// Eight rows interleaved, f32; see [`crate::kernels`].
    Rows8,
    /// Row after row, integers.
    RowMajor,
    /// Integers for cores with dual 16-bit multiplications: Cortex-M4, M7, M33.
    Dual16,
    /// Integers for cores that multiply 32 bits by 32 to 32: Cortex-M0, M0+, M3.
    Lanes16,
    /// Integers for cores with vectors of 128 bits: Cortex-M55, M85.
    Vector128,
}

impl Layout {
    /// The layouts of integer weights that this build reads.
    #[cfg(feature = "int8")]
    pub const INTEGERS: &'static [Self] = &[
        #[cfg(feature = "row-major")]
        Self::RowMajor,
        #[cfg(feature = "dual16")]
        Self::Dual16,
        #[cfg(feature = "lanes16")]
        Self::Lanes16,
        #[cfg(feature = "vector128")]
        Self::Vector128,
    ];

    /// Whether it is one of [`Self::INTEGERS`].
    #[cfg(feature = "int8")]
    pub(crate) const fn is_of_integers(self) -> bool {
        match self {
            Self::Rows8 => false,
            Self::RowMajor => cfg!(feature = "row-major"),
            Self::Dual16 => cfg!(feature = "dual16"),
            Self::Lanes16 => cfg!(feature = "lanes16"),
            Self::Vector128 => cfg!(feature = "vector128"),
        }
    }

    /// What people call it; that of integers, its feature.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rows8 => "rows8",
            Self::RowMajor => "row-major",
            Self::Dual16 => "dual16",
            Self::Lanes16 => "lanes16",
            Self::Vector128 => "vector128",
        }
    }
}

/// How the weights of one layer are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WeightFormat {
    /// Single precision.
    F32,
    /// Level 0 only: a row of 8-bit pre-activations per position and character, embedding and weights in one.
    Table,
    /// 8 bits per weight.
    Int8,
    /// 4 bits per weight.
    Int4,
    /// Level 0 of two characters only: what the level gives for every pair of them, in 8 bits. Nothing is left to compute.
    Pairs,
}

#[cfg(any(feature = "int8", feature = "alloc"))]
impl WeightFormat {
    /// Whether a layer in this format reads characters rather than their embeddings.
    pub(crate) fn reads_tokens(self) -> bool {
        matches!(self, Self::Table | Self::Pairs)
    }
}

/// Layers of a network: the levels and the output layer.
pub const MAX_LAYERS: usize = MAX_LEVELS + 1;
/// Longest golden text.
pub const MAX_GOLDEN: usize = 1024;

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
    /// Whether the output layer reads all levels; see [`crate::Config::skip`].
    pub skip: bool,
    /// How the weights of each level and of the output layer are stored.
    pub weights: heapless::Vec<WeightFormat, MAX_LAYERS>,
    /// Tokens of the golden text at the end of the slab.
    pub golden_len: u16,
    /// CRC-32 of the logits after a reset and after each token of the golden text, little-endian.
    pub golden_crc32: u32,
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

/// CRC-32 with one table of 1 KiB.
pub(crate) static CRC: crc::Crc<u32, crc::Table<1>> = crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISO_HDLC);

/// The checksum of a blob: CRC-32 (ISO-HDLC, as in zlib and PNG) over all bytes but the checksum's own four.
pub fn checksum(blob: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    let (mut part, mut rest) =
        (blob.get(..PREAMBLE_BYTES - 4).unwrap_or(blob), blob.get(PREAMBLE_BYTES..).unwrap_or(&[]));
    while !part.is_empty() {
        digest.update(part);
        part = core::mem::take(&mut rest);
    }
    digest.finalize()
}

/// The part of the slab that has not been read yet. Every array of it begins at a multiple of [`SLAB_ALIGN`].
///
/// What reads from it gives an `Option`, which is smaller to hand on than the reason why it is refused: that is left here.
#[derive(Clone, Debug)]
pub(crate) struct Slab<'a> {
    rest: &'a [u8],
    /// Bytes of all of it.
    len: usize,
    /// Why the slab is refused, once it is.
    pub error: FormatError,
}

impl<'a> Slab<'a> {
    /// All of a blob, until [`Self::frame`] has taken what is before the slab.
    pub fn new(blob: &'a [u8]) -> Self {
        Self { rest: blob, len: blob.len(), error: FormatError::UnsupportedFormat }
    }

    /// Leaves the reason behind.
    #[inline]
    pub fn refuse<T>(&mut self, error: FormatError) -> Option<T> {
        self.error = error;
        None
    }

    /// Checks the frame of a blob: lengths, version, alignment, checksum, padding. Gives the header, not decoded yet, and the words of
    /// the state; leaves the slab.
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
        // A usize has at least 32 bits here (see lib.rs).
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
        // The padding behind the header is that of an array which begins where the blob does. No overflow: the length has 16 bits.
        let front = self.take(PREAMBLE_BYTES + header_len);
        if let FormatError::SlabSizeMismatch { need, have } = self.error {
            self.error = FormatError::Truncated { need, have };
        }
        let front = front?;
        self.len = self.rest.len();
        Some((front.get(PREAMBLE_BYTES..)?, state_words as usize))
    }

    /// Takes an array and the padding behind it.
    #[inline(never)]
    pub fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let padding = bytes.wrapping_neg() % SLAB_ALIGN;
        // Dimensions are limited (see `config`): far below 2^32.
        let padded = bytes + padding;
        let Some((part, rest)) = self.rest.split_at_checked(padded) else {
            // What was taken is in memory, and `padded` below 2^31.
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

    /// What has not been taken, in whole words: it begins at a multiple of 16 bytes from an aligned start, and has been written so.
    pub fn words(&self) -> Option<&'a [u32]> {
        bytemuck::try_cast_slice(self.rest.get(..self.rest.len() & !3)?).ok()
    }

    /// Bytes taken.
    pub fn taken(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Also refuses values that are not finite or above [`MAX_WEIGHT`].
    #[cfg(feature = "f32")]
    pub fn take_f32(&mut self, len: usize) -> Option<()> {
        let start = self.taken() / size_of::<f32>();
        let bytes = self.take(len * size_of::<f32>())?;
        let values = bytemuck::try_cast_slice::<u8, f32>(bytes).ok()?;
        // False for NaN as well.
        match values.iter().position(|value| !(-MAX_WEIGHT..=MAX_WEIGHT).contains(value)) {
            Some(index) => self.refuse(FormatError::BadWeight { index: start + index }),
            None => Some(()),
        }
    }

    /// Nothing may be left over.
    pub fn finish(&mut self) -> Option<()> {
        if self.rest.is_empty() {
            return Some(());
        }
        self.refuse(FormatError::SlabSizeMismatch { need: self.taken(), have: self.len })
    }
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

#[cfg(all(test, feature = "int8"))]
mod tests {
    use super::Layout;

    #[test]
    fn layouts_of_integers_are_those_listed() {
        for layout in [Layout::Rows8, Layout::RowMajor, Layout::Dual16, Layout::Lanes16, Layout::Vector128] {
            assert_eq!(layout.is_of_integers(), Layout::INTEGERS.contains(&layout), "{}", layout.name());
        }
    }
}
