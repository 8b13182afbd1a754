use alloc::string::String;
use core::fmt::Write;

use crate::config::{Level, StateLayout};
use crate::error::FormatError;
use crate::format::{checksum, slab_offset};

/// Returns Rust source that builds a model into a program, from its blob.
///
/// The source defines `static BLOB`, which includes the blob from `path`, relative to the file to which the source is
/// written; `static MODEL: runtime::Model<'static>`; and `const STATE_WORDS: usize`, the words of [`crate::State`] that
/// the model needs.
///
/// Paths in the source begin with `runtime::`. In a package that calls the dependency otherwise
/// (`names = { package = "runtime", ... }`), write `use names as runtime;` next to the `include!`.
///
/// # Errors
/// Same as [`crate::model::Model::new`].
pub fn source(blob: &[u8], path: &str) -> Result<String, FormatError> {
    let aligned = crate::format::AlignedBlob::from(blob);
    let model = crate::model::Model::new(aligned.as_bytes())?;
    let (header, config) = (&model.header, model.config());
    let layers = model.net.starts();
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
    line(format_args!("// Written by `runtime::built_in::source` when the program was built.\n"));
    line(format_args!("/// 32-bit words of the state that the model needs."));
    line(format_args!("pub const STATE_WORDS: usize = {};\n", model.state_words()));
    line(format_args!("/// The blob from which the model borrows; see `runtime::built_in::is_intact`."));
    line(format_args!("#[allow(long_running_const_eval, reason = \"a large blob has many words\")]"));
    line(format_args!("pub static BLOB: runtime::Aligned<[u32; {}]> =", blob.len() / 4));
    line(format_args!("    runtime::built_in::words(include_bytes!({path:?}));\n"));
    line(format_args!("/// The model, checked when the program was built."));
    line(format_args!("pub static MODEL: runtime::Model<'static> = {{"));
    line(format_args!("    use runtime::built_in::{{"));
    line(format_args!("        Activation, Layout, Level, Parts, Precision, StateLayout, WeightFormat,"));
    line(format_args!("    }};"));
    line(format_args!("    runtime::Model::built_in(&BLOB.0, Parts {{"));
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
