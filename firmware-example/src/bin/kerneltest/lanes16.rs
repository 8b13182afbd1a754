//! Layout `Lanes16`: the core's kernels against [`portable`].

use runtime::kernels::layout::lanes16::{self as layout, portable};

use crate::rows::{self, Kind, first};

const KINDS: &[Kind] = &[
    Kind {
        name: "lanes16_i8",
        rows: layout::ROWS_I8,
        columns: layout::COLUMNS_I8,
        largest: 127,
        block_words: layout::block_words_i8,
        prepared_words: layout::prepared_words_i8,
        write: |block, columns, bias, multiplier, weight| {
            layout::write_block_i8(block, columns, first(bias), first(multiplier), weight);
        },
        prepare: [layout::prepare_i8, portable::prepare_i8],
        rows_of: [layout::rows_i8, portable::rows_i8],
        rows_tanh: layout::rows_tanh_i8,
    },
    #[cfg(feature = "int4")]
    Kind {
        name: "lanes16_i4",
        rows: layout::ROWS_I4,
        columns: layout::COLUMNS_I4,
        largest: 7,
        block_words: layout::block_words_i4,
        prepared_words: layout::prepared_words_i4,
        write: |block, columns, bias, multiplier, weight| {
            layout::write_block_i4(block, columns, first(bias), first(multiplier), weight);
        },
        prepare: [layout::prepare_i4, portable::prepare_i4],
        rows_of: [layout::rows_i4, portable::rows_i4],
        rows_tanh: layout::rows_tanh_i4,
    },
];

/// Compares, and reports; how many numbers differ.
pub fn run() -> u32 {
    KINDS.iter().map(rows::run).sum()
}
