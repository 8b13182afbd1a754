//! Layout `Dual16`: the DSP instructions against their definitions.

use runtime::insn::{
    smmulr, smmulr_portable, smulwb, smulwb_portable, sxtab16, sxtab16_portable, sxtab16_ror8, sxtb16, sxtb16_portable,
    sxtb16_ror8,
};
use runtime::kernels::layout::dual16 as layout;

use crate::gate;
use crate::random::Random;
use crate::rows::{self, Kind, first};
use crate::tally::Tally;

const KINDS: &[Kind] = &[
    Kind {
        name: "dual16_i8",
        rows: layout::ROWS_I8,
        columns: layout::COLUMNS_I8,
        largest: 127,
        block_words: layout::block_words_i8,
        prepared_words: layout::prepared_words_i8,
        write: |block, columns, bias, multiplier, weight| {
            layout::write_block_i8(block, columns, first(bias), first(multiplier), weight);
        },
        prepare: [layout::prepare_i8, layout::prepare_i8_portable],
        rows_of: [layout::rows_i8, layout::rows_i8_portable],
        rows_tanh: layout::rows_tanh_i8,
    },
    #[cfg(feature = "int4")]
    Kind {
        name: "dual16_i4",
        rows: layout::ROWS_I4,
        columns: layout::COLUMNS_I4,
        largest: 7,
        block_words: layout::block_words_i4,
        prepared_words: layout::prepared_words_i4,
        write: |block, columns, bias, multiplier, weight| {
            layout::write_block_i4(block, columns, first(bias), first(multiplier), weight);
        },
        prepare: [layout::prepare_i4, layout::prepare_i4_portable],
        rows_of: [layout::rows_i4, layout::rows_i4_portable],
        rows_tanh: layout::rows_tanh_i4,
    },
];

/// Compares, and reports; how many numbers differ.
pub fn run() -> u32 {
    KINDS.iter().map(rows::run).sum::<u32>() + multiplication() + halves() + gate::run()
}

/// The instruction that requantizes.
fn multiplication() -> u32 {
    const EDGES: [i32; 12] =
        [0, 1, -1, 2, -2, 0x7fff, 0x8000, 0x1_0000, i32::MAX, i32::MIN, i32::MAX - 1, i32::MIN + 1];
    let mut tally = Tally::default();
    let mut compare = |a, b| tally.one(smmulr(a, b) == smmulr_portable(a, b));
    let mut random = Random::new();
    for edge in EDGES {
        EDGES.into_iter().for_each(|other| compare(edge, other));
        for _ in 0..100 {
            compare(edge, random.any_magnitude());
            compare(random.any_magnitude(), edge);
        }
    }
    for _ in 0..20_000 {
        compare(random.any_magnitude(), random.any_magnitude());
    }
    // Products at the point where rounding turns: a multiple of 2^31 that is none of 2^32, and its neighbours.
    for bit in 1..31 {
        for odd in (1..64).step_by(2) {
            for near in -1..=1 {
                let b = odd << (31 - bit).min(25);
                compare((1 << bit) + near, b);
                compare(-(1 << bit) + near, b);
            }
        }
    }
    tally.report("smmulr")
}

/// The instructions on half words.
fn halves() -> u32 {
    let mut tally = Tally::default();
    let mut random = Random::new();
    for _ in 0..5_000 {
        let (a, x) = (random.next(), random.any_magnitude() as u32);
        tally.one(sxtb16(x) == sxtb16_portable(x));
        tally.one(sxtb16_ror8(x) == sxtb16_portable(x.rotate_right(8)));
        tally.one(sxtab16(a, x) == sxtab16_portable(a, x));
        tally.one(sxtab16_ror8(a, x) == sxtab16_portable(a, x.rotate_right(8)));
        tally.one(smulwb(a as i32, x as i32) == smulwb_portable(a as i32, x as i32));
    }
    tally.report("halves")
}
