//! A model that is part of a program: checked when the program is built, by the loader itself, and ready when it starts.
//!
//! A build script gives the blob to `source` (feature `alloc`), which opens it as [`crate::Model::new`] does and writes down what that
//! finds. The program includes what it wrote. `Model::built_in`, which that calls, exists without the feature `std` only: what a
//! program for a computer has in memory can as well be loaded.
//!
//! ```toml
//! [dependencies] # the precision and the layout of the blob
//! runtime = { version = "0.1", default-features = false, features = ["int8", "dual16"] }
//! [build-dependencies]
//! runtime = { version = "0.1", features = ["alloc"] }
//! ```
//!
//! ```ignore
//! // build.rs
//! let out = PathBuf::from(env::var("OUT_DIR")?);
//! let blob = fs::read("names.blob")?;
//! fs::write(out.join("model.blob"), &blob)?;
//! fs::write(out.join("model.rs"), runtime::built_in::source(&blob, "model.blob")?)?;
//!
//! // main.rs: `static MODEL: runtime::Model`, `const STATE_WORDS: usize`, and `static BLOB`, of which the model is a view
//! include!(concat!(env!("OUT_DIR"), "/model.rs"));
//! ```
//!
//! No loader is in such a program, no model in its RAM, and no check in its start-up: a blob that is refused stops the build. Bits
//! that flip in flash later are as in the program's own code: those in `BLOB` (all weights) are found by [`is_intact`], or most
//! of them by [`Model::self_test`](crate::Model::self_test), where the program asks for it, and give arbitrary results where it does
//! not, but no access out of bounds and no panic. Those in `MODEL`, some hundred bytes of sizes, alphabet and self-test, are not
//! looked for.
//!
//! On Cortex-M55 a loaded model keeps more of each layer in RAM, which one that is built in finds anew for each character.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use core::fmt::Write;

#[cfg(all(feature = "f32", not(feature = "std")))]
use super::net_f32::NetF32;
#[cfg(all(feature = "int8", not(feature = "std")))]
use super::net_int::NetInt;
#[cfg(not(feature = "std"))]
use super::{Model, Net};
#[cfg(not(feature = "std"))]
use crate::config::Config;
use crate::config::{Activation, Level, StateLayout};
#[cfg(feature = "alloc")]
use crate::error::FormatError;
#[cfg(not(feature = "std"))]
use crate::format::header::Fields;
#[cfg(feature = "alloc")]
use crate::format::slab_offset;
use crate::format::{Aligned, Layout, MAX_LAYERS, PREAMBLE_BYTES, Precision, WeightFormat, checksum};
use crate::vocab::Token;

/// What the loader found in a blob with so many levels and layers, as `source` writes it. Nothing looks whether it is true: with
/// other numbers a program may panic or give arbitrary results.
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
    /// The checksum of the blob, by which it is known.
    pub crc32: u32,
    /// The first 32-bit word of the slab in the blob.
    pub slab: usize,
    /// The first 32-bit word of each layer in the slab; of no meaning behind the last.
    pub layers: [u32; MAX_LAYERS],
    pub buffers: StateLayout,
    pub vocab: &'static str,
    pub golden: &'static [Token],
    pub golden_crc32: u32,
    /// In postcard.
    pub provenance: &'static [u8],
}

/// A blob as 32-bit words, where they can be read as such.
///
/// # Panics
/// If it does not have exactly as many. In a `static` that stops the build.
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

/// Whether a blob (`BLOB.0`) is what it was when it was written, by the checksum in it. Reads all of it once.
pub fn is_intact(blob: &[u32]) -> bool {
    blob.get(CHECKSUM_WORD) == Some(&checksum(bytemuck::cast_slice(blob)))
}

/// Where the checksum stands; see [`crate::format::Preamble`].
const CHECKSUM_WORD: usize = PREAMBLE_BYTES / 4 - 1;

#[cfg(not(feature = "std"))]
impl Model<'static> {
    /// The model that `source` writes down.
    ///
    /// # Panics
    /// If this build of the runtime leaves out what the model needs, or `parts` are of another blob. In a `static` that stops the
    /// build.
    pub const fn built_in<const LEVELS: usize, const LAYERS: usize>(
        blob: &'static [u32],
        parts: Parts<LEVELS, LAYERS>,
    ) -> Self {
        assert!(
            blob.len() > CHECKSUM_WORD && blob[CHECKSUM_WORD] == parts.crc32,
            "the blob is not the one that was checked: run the build script again"
        );
        let (_, slab) = blob.split_at(parts.slab);
        let config = Config {
            vocab_size: parts.vocab_size,
            n_embd: parts.n_embd,
            levels: heapless::Vec::from_array(parts.levels),
            activation: parts.activation,
            skip: parts.skip,
        };
        // Of each level, and of the output layer.
        let (mut rows, mut index) = ([parts.vocab_size as usize; MAX_LAYERS], 0);
        while index < LEVELS {
            rows[index] = parts.levels[index].width as usize * parts.activation.rows_per_value();
            index += 1;
        }
        let net = match (parts.precision, parts.layout) {
            #[cfg(feature = "f32")]
            (Precision::F32, _) => Net::F32(NetF32::built_in(slab, parts.layers)),
            #[cfg(feature = "int8")]
            (Precision::Int8 | Precision::Int4, layout) if layout.is_of_integers() => {
                assert!(
                    matches!(parts.precision, Precision::Int8) || cfg!(feature = "int4"),
                    "the model has weights in 4 bits: enable the feature int4 of runtime"
                );
                Net::Int(NetInt::built_in(slab, &config, layout, &parts.weights, &rows, &parts.layers))
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

/// Rust source of a blob: `static BLOB`, which includes it from `path`, relative to the file that the source is written to;
/// `static MODEL: runtime::Model<'static>`; and `const STATE_WORDS: usize`, what [`crate::State`] it needs.
///
/// # Errors
/// As [`crate::Model::new`].
#[cfg(feature = "alloc")]
pub fn source(blob: &[u8], path: &str) -> Result<String, FormatError> {
    let aligned = crate::format::AlignedBlob::from(blob);
    let model = crate::Model::new(aligned.as_bytes())?;
    let (header, config) = (&model.header, model.config());
    let layers = match &model.net {
        #[cfg(feature = "f32")]
        super::Net::F32(net) => net.starts(),
        #[cfg(feature = "int8")]
        super::Net::Int(net) => net.starts(),
    };
    let slab = slab_offset(usize::from(u16::from_le_bytes([blob[6], blob[7]]))) / 4;
    let levels: String = config
        .levels()
        .iter()
        .map(|Level { fuse, width }| alloc::format!("Level {{ fuse: {fuse}, width: {width} }}, "))
        .collect();
    let weights: String = header.weights.iter().map(|format| alloc::format!("WeightFormat::{format:?}, ")).collect();
    let StateLayout { logits, input, rings, hidden } = model.buffers;
    let mut text = String::new();
    let mut line = |line: core::fmt::Arguments<'_>| writeln!(text, "{line}").expect("text");
    line(format_args!("// Written when this was built, by `runtime::built_in::source`.\n"));
    line(format_args!("/// 32-bit words of the state that the model needs."));
    line(format_args!("pub const STATE_WORDS: usize = {};\n", model.state_words()));
    line(format_args!("/// The blob that the model is a view of; see `runtime::built_in::is_intact`."));
    line(format_args!("#[allow(long_running_const_eval, reason = \"it takes as long as it has words\")]"));
    line(format_args!("pub static BLOB: ::runtime::Aligned<[u32; {}]> =", blob.len() / 4));
    line(format_args!("    ::runtime::built_in::words(include_bytes!({path:?}));\n"));
    line(format_args!("/// The model, checked when this was built."));
    line(format_args!("pub static MODEL: ::runtime::Model<'static> = {{"));
    line(format_args!("    use ::runtime::built_in::Parts;"));
    line(format_args!("    use ::runtime::config::{{Activation, Level, StateLayout}};"));
    line(format_args!("    use ::runtime::format::{{Layout, Precision, WeightFormat}};"));
    line(format_args!("    ::runtime::Model::built_in(&BLOB.0, Parts {{"));
    line(format_args!("        precision: Precision::{:?},", header.precision));
    line(format_args!("        layout: Layout::{:?},", header.layout));
    line(format_args!("        activation: Activation::{:?},", config.activation()));
    line(format_args!("        vocab_size: {},", config.vocab_size()));
    line(format_args!("        n_embd: {},", config.n_embd()));
    line(format_args!("        levels: [{levels}],"));
    line(format_args!("        skip: {},", config.skip()));
    line(format_args!("        weights: [{weights}],"));
    line(format_args!("        crc32: {:#010x},", checksum(aligned.as_bytes())));
    line(format_args!("        slab: {slab},"));
    line(format_args!("        layers: {layers:?},"));
    line(format_args!(
        "        buffers: StateLayout {{ logits: {logits}, input: {input}, rings: {rings}, hidden: {hidden} }},"
    ));
    line(format_args!("        vocab: {:?},", model.vocab().as_str()));
    line(format_args!("        golden: &{:?},", model.golden()));
    line(format_args!("        golden_crc32: {:#010x},", header.golden_crc32));
    line(format_args!("        provenance: &{:?},", header.provenance));
    line(format_args!("    }})"));
    line(format_args!("}};"));
    Ok(text)
}
