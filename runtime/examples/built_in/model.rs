// Written by `runtime::built_in::source` when the program was built.

/// 32-bit words of the state that the model needs.
pub const STATE_WORDS: usize = 50;

/// The blob from which the model borrows; see `runtime::built_in::is_intact`.
#[allow(long_running_const_eval, reason = "a large blob has many words")]
pub static BLOB: runtime::Aligned<[u32; 488]> =
    runtime::built_in::words(include_bytes!("../../models/tiny.int8.blob"));

/// The model, checked when the program was built.
pub static MODEL: runtime::Model<'static> = {
    use runtime::built_in::{
        Activation, Layout, Level, Parts, Precision, StateLayout, WeightFormat,
    };
    runtime::Model::built_in(&BLOB.0, Parts {
        precision: Precision::Int8,
        layout: Layout::RowMajor,
        activation: Activation::Tanh,
        vocab_size: 27,
        n_embd: 6,
        levels: [Level { fuse: 2, width: 16 }, Level { fuse: 2, width: 16 }, ],
        skip: false,
        weights: [WeightFormat::Int8, WeightFormat::Int8, WeightFormat::Int8, ],
        crc32: 0x816c8f3a,
        slab: 32,
        layers: [44, 124, 284, 456, 456, 456, 456, 456, 456],
        buffers: StateLayout { logits: 32, input: 36, rings: 40, hidden: 16 },
        vocab: ".abcdefghijklmnopqrstuvwxyz",
        golden: &[10, 14, 16, 6, 11, 25, 17, 0, 8, 2, 1, 5, 15, 1, 1, 1, 7, 2, 16, 13, 26, 11, 15, 8],
        golden_crc32: 0xcaaeb7da,
        provenance: &[4, 116, 105, 110, 121, 5, 48, 46, 49, 46, 48, 99, 40, 254, 23, 20, 132, 182, 223, 226, 177, 177, 25, 71, 8, 186, 79, 167, 190, 2, 242, 46, 102, 202, 189, 253, 97, 139, 216, 138, 219, 71, 72, 42, 192, 248, 149, 1, 30, 114],
    })
};
