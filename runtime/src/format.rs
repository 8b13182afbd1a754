// The example in it writes a model: without the feature `alloc` it is no test.
#![cfg_attr(any(feature = "alloc", not(doctest)), doc = include_str!("../FORMAT.md"))]

#[cfg(feature = "alloc")]
mod aligned;
mod cores;
pub(crate) mod header;
mod layout;
mod precision;
pub(crate) mod slab;
mod weight_format;

use serde::{Deserialize, Serialize};

#[cfg(feature = "alloc")]
pub use self::aligned::AlignedBlob;
pub use self::cores::Core;
pub use self::layout::Layout;
pub use self::precision::Precision;
pub use self::weight_format::WeightFormat;
use crate::activation::Activation;
use crate::config::Level;
use crate::limits::{MAX_LAYERS, MAX_LEVELS};

/// The first four bytes of every blob.
pub const MAGIC: [u8; 4] = *b"MORE";
/// The version of the format this runtime writes and reads.
pub const VERSION: u16 = 2;
/// Bytes before the postcard header.
pub const PREAMBLE_BYTES: usize = 20;
/// The slab begins at a multiple of this many bytes from the start of the blob.
pub const SLAB_ALIGN: usize = 16;
/// The blob itself must lie at a multiple of this many bytes.
pub const BLOB_ALIGN: usize = 4;
/// Largest magnitude of a weight. Sums of products stay finite below it: `MAX_WIDTH * MAX_FUSE * (2^40)^2 < f32::MAX`.
pub const MAX_WEIGHT: f32 = (1_u64 << 40) as f32;

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
    /// Mean negative log-likelihood on the dev split in f32, in micronats per character, so that a chip without an FPU can
    /// print it; [`u32::MAX`] if it was not measured. Of a fine-tuned model: before the fine-tuning.
    pub dev_nll_micronats: u32,
    /// Mean Kullback-Leibler divergence from the f32 model on the calibration words, in micronats per character;
    /// [`u32::MAX`] if it was not measured. Of a fine-tuned model: from the model before the fine-tuning, on the dev
    /// words.
    pub kl_micronats: u32,
    /// Mean negative log-likelihood on the same words less that of the f32 model, in micronats per character.
    pub delta_micronats: i32,
}

impl Provenance<'_> {
    /// Provenance of a model about which nothing is known.
    pub const UNKNOWN: Self = Self {
        preset: "",
        exporter_version: "",
        data_sha256: [0; 32],
        seed: 0,
        dev_nll_micronats: u32::MAX,
        kl_micronats: u32::MAX,
        delta_micronats: 0,
    };
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

/// Gives its contents the alignment a blob needs (16, so that wide loads are aligned too). Made by [`crate::include_blob!`].
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct Aligned<T: ?Sized>(pub T);

/// `include_bytes!` for a blob: the same bytes as a `&'static [u8]`, aligned as [`crate::Model::new`] asks.
#[macro_export]
macro_rules! include_blob {
    ($path:expr) => {{
        static BLOB: &$crate::format::Aligned<[u8]> = &$crate::format::Aligned(*include_bytes!($path));
        &BLOB.0
    }};
}
