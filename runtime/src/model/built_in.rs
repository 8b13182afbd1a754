//! The parts of a model that is built into a program; see [`crate::built_in`].

#[cfg(feature = "f32")]
use super::net_f32::NetF32;
#[cfg(feature = "int8")]
use super::net_int::NetInt;
use super::{Model, Net};
use crate::activation::Activation;
use crate::config::Config;
#[cfg(feature = "int8")]
use crate::config::LinearShape;
use crate::config::{Level, StateLayout};
use crate::format::header::Fields;
use crate::format::{Aligned, Layout, PREAMBLE_BYTES, Precision, WeightFormat, checksum};
use crate::limits::MAX_LAYERS;
use crate::vocab::Token;

/// Results of loading a blob with `LEVELS` levels and `LAYERS` layers, as `source` writes them. Nothing checks them:
/// with values from elsewhere a program may panic or compute arbitrary results.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "as in the header")]
pub struct Parts<const LEVELS: usize, const LAYERS: usize> {
    pub precision: Precision,
    pub layout: Layout,
    pub activation: Activation,
    pub vocab_size: u16,
    pub n_embd: u16,
    pub levels: [Level; LEVELS],
    pub skip: bool,
    pub weights: [WeightFormat; LAYERS],
    /// Checksum of the blob, which identifies it.
    pub crc32: u32,
    /// First 32-bit word of the slab in the blob.
    pub slab: usize,
    /// First 32-bit word of each layer in the slab; unspecified after the last.
    pub layers: [u32; MAX_LAYERS],
    pub buffers: StateLayout,
    pub vocab: &'static str,
    pub golden: &'static [Token],
    pub golden_crc32: u32,
    /// Provenance, encoded in postcard.
    pub provenance: &'static [u8],
}

/// Returns a blob as 32-bit words, aligned for reading them.
///
/// # Panics
/// If the blob does not have exactly `WORDS` words. In a `static`, that stops the build.
pub const fn words<const WORDS: usize>(blob: &[u8]) -> Aligned<[u32; WORDS]> {
    assert!(blob.len() == 4 * WORDS, "the blob is not the one that was checked: run the build script again");
    let (mut words, mut index) = ([0; WORDS], 0);
    let (chunks, _) = blob.as_chunks::<4>();
    while index < WORDS {
        words[index] = u32::from_le_bytes(chunks[index]);
        index += 1;
    }
    Aligned(words)
}

/// Returns whether a blob (`BLOB.0`) matches the checksum in it. Reads the whole blob once.
pub fn is_intact(blob: &[u32]) -> bool {
    blob.get(CHECKSUM_WORD) == Some(&checksum(bytemuck::cast_slice(blob)))
}

/// Index of the word with the checksum; see [`crate::format::Preamble`].
const CHECKSUM_WORD: usize = PREAMBLE_BYTES / 4 - 1;

/// Returns the shapes of the levels and of the output layer.
#[cfg(feature = "int8")]
const fn shapes<const LEVELS: usize, const LAYERS: usize>(
    parts: &Parts<LEVELS, LAYERS>,
) -> [LinearShape<'_>; MAX_LAYERS] {
    // Level 0 reads either characters or their embeddings.
    let reads_tokens = LAYERS > 0 && parts.weights[0].reads_tokens();
    let width_0 = if reads_tokens { 1 } else { parts.n_embd as usize };
    let mut shapes = [LinearShape::new(0, 0, 0); MAX_LAYERS];
    let mut index = 0;
    while index <= LEVELS {
        let vocab_size = parts.vocab_size as usize;
        shapes[index] = LinearShape::of(&parts.levels, parts.activation, parts.skip, vocab_size, index, width_0);
        index += 1;
    }
    shapes
}

impl Model<'static> {
    /// Returns the model that `source` describes.
    ///
    /// # Panics
    /// If this build of the runtime does not include a feature that the model needs, or if `parts` belong to another
    /// blob. In a `static`, that stops the build.
    pub const fn built_in<const LEVELS: usize, const LAYERS: usize>(
        blob: &'static [u32],
        parts: Parts<LEVELS, LAYERS>,
    ) -> Self {
        assert!(
            blob.len() > CHECKSUM_WORD && blob[CHECKSUM_WORD] == parts.crc32,
            "the blob is not the one that was checked: run the build script again"
        );
        assert!(parts.activation.is_built(), "enable the feature of runtime with the name of the model's activation");
        let mut layer = 0;
        while layer < LAYERS {
            assert!(
                parts.weights[layer].is_built(),
                "the model looks up its level 1: enable the feature tables of runtime"
            );
            layer += 1;
        }
        let (_, slab) = blob.split_at(parts.slab);
        let config = Config {
            vocab_size: parts.vocab_size,
            n_embd: parts.n_embd,
            levels: heapless::Vec::from_array(parts.levels),
            activation: parts.activation,
            skip: parts.skip,
        };
        let net = match (parts.precision, parts.layout) {
            #[cfg(feature = "f32")]
            (Precision::F32, _) => Net::F32(NetF32::built_in(slab, parts.layers)),
            #[cfg(feature = "int8")]
            (Precision::Int8 | Precision::Int4, layout) if layout.is_integer() && layout.is_built() => {
                assert!(
                    matches!(parts.precision, Precision::Int8) || cfg!(feature = "int4"),
                    "the model has weights in 4 bits: enable the feature int4 of runtime"
                );
                Net::Int(NetInt::built_in(slab, &config, layout, &parts.weights, &shapes(&parts), &parts.layers))
            }
            _ => panic!("the feature of runtime for the model's precision or layout is not enabled"),
        };
        let header = Fields {
            config,
            precision: parts.precision,
            layout: parts.layout,
            weights: heapless::Vec::from_array(parts.weights),
            golden_crc32: parts.golden_crc32,
            vocab: parts.vocab.as_bytes(),
            provenance: parts.provenance,
        };
        Self { header, net, golden: parts.golden, buffers: parts.buffers }
    }
}
