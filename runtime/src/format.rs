// The example in FORMAT.md writes a model, so it can only be a test with the feature `alloc`.
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

/// First four bytes of every blob.
pub const MAGIC: [u8; 4] = *b"MORE";
/// Version of the format that this runtime writes and reads.
pub const VERSION: u16 = 2;
/// Bytes before the postcard header.
pub const PREAMBLE_BYTES: usize = 20;
/// Alignment of the slab, in bytes from the start of the blob.
pub const SLAB_ALIGN: usize = 16;
/// Alignment of the blob in memory, in bytes.
pub const BLOB_ALIGN: usize = 4;
/// Largest magnitude of a weight in f32. Sums of products remain finite: `MAX_WIDTH * MAX_FUSE * (2^40)^2 < f32::MAX`.
pub const MAX_WEIGHT: f32 = (1_u64 << 40) as f32;

/// Origin of a model, and its quality when it was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Provenance<'a> {
    /// Name of the preset it was trained with.
    #[serde(borrow)]
    pub preset: &'a str,
    /// Version of the exporter that wrote the blob.
    #[serde(borrow)]
    pub exporter_version: &'a str,
    /// SHA-256 of the word list it was trained on.
    pub data_sha256: [u8; 32],
    /// Seed of the training.
    pub seed: u64,
    /// Mean negative log-likelihood on the dev split in f32, in micronats per character; [`u32::MAX`] if it was not
    /// measured.
    ///
    /// An integer, so that a chip without an FPU can print it. For a fine-tuned model it is the value before the
    /// fine-tuning.
    pub dev_nll_micronats: u32,
    /// Mean Kullback-Leibler divergence from the f32 model on the calibration words, in micronats per character;
    /// [`u32::MAX`] if it was not measured.
    ///
    /// For a fine-tuned model it is measured from the model before the fine-tuning, on the dev words.
    pub kl_micronats: u32,
    /// Mean negative log-likelihood on the same words minus that of the f32 model, in micronats per character.
    pub delta_micronats: i32,
}

impl Provenance<'_> {
    /// Provenance of a model of unknown origin.
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

/// Postcard part of a blob. The exporter writes it; [`crate::Model`] checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header<'a> {
    /// Number format of weights and activations.
    pub precision: Precision,
    /// Order of the weights.
    pub layout: Layout,
    /// Activation of every level.
    pub activation: Activation,
    /// Values per character embedding.
    pub n_embd: u16,
    /// The levels, from the characters up.
    pub levels: heapless::Vec<Level, MAX_LEVELS>,
    /// True if the output layer reads all levels; see [`crate::Config::skip`].
    pub skip: bool,
    /// Storage format of the weights of each level and of the output layer.
    pub weights: heapless::Vec<WeightFormat, MAX_LAYERS>,
    /// Number of tokens of the golden text, which is at the end of the slab.
    pub golden_len: u16,
    /// CRC-32 of the logits after a reset and after each token of the golden text; the logits are little-endian.
    pub golden_crc32: u32,
    /// Characters in the order of their tokens, the boundary's sign first.
    #[serde(borrow)]
    pub vocab: &'a str,
    /// Origin of the model.
    #[serde(borrow)]
    pub provenance: Provenance<'a>,
}

/// Fixed bytes before the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Preamble {
    /// Bytes of the postcard header.
    pub header_len: u16,
    /// Bytes of the whole blob.
    pub total_len: u32,
    /// 32-bit words of [`crate::State`] that the model needs. Redundant, and checked; kept here so that a `const fn`
    /// can read it.
    pub state_words: u32,
    /// CRC-32 of all bytes except these four.
    pub crc32: u32,
}

impl Preamble {
    /// Returns the bytes of the preamble as a blob has them.
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

/// Returns the offset of the slab: the end of the header, rounded up to [`SLAB_ALIGN`].
pub const fn slab_offset(header_len: usize) -> usize {
    (PREAMBLE_BYTES + header_len).next_multiple_of(SLAB_ALIGN)
}

/// CRC-32 with one table of 1 KiB.
pub(crate) static CRC: crc::Crc<u32, crc::Table<1>> = crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISO_HDLC);

/// Returns the checksum of a blob: CRC-32 (ISO-HDLC, as in zlib and PNG) of all bytes except the checksum's own four.
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

/// Wrapper that aligns its contents for a blob: to 16 bytes, so that wide loads are aligned too. See
/// [`crate::include_blob!`].
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct Aligned<T: ?Sized>(pub T);

/// Includes the file of a blob like `include_bytes!`: returns a `&'static [u8]`, aligned as [`crate::Model::new`]
/// requires.
#[macro_export]
macro_rules! include_blob {
    ($path:expr) => {{
        static BLOB: &$crate::format::Aligned<[u8]> = &$crate::format::Aligned(*include_bytes!($path));
        &BLOB.0
    }};
}
