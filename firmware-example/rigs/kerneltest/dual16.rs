//! Compares the DSP instructions of layout `Dual16` with their definitions.

use runtime::insn::{
    smmulr, smmulr_portable, smulwb, smulwb_portable, sxtab16, sxtab16_portable, sxtab16_ror8, sxtab16_ror8_portable,
    sxtb16, sxtb16_portable, sxtb16_ror8, sxtb16_ror8_portable,
};
use runtime::kernels::layout::{PackedLayout, dual16};

use crate::gate;
use crate::random::Random;
use crate::rows;
use crate::tally::Tally;

/// True if the kernels are assembly in this build.
pub const ASSEMBLY: bool = <dual16::Dual16I8 as PackedLayout>::ASSEMBLY;

/// Compares, and prints the result. Returns how many numbers differ.
pub fn run() -> u32 {
    let mismatches = rows::run::<dual16::Dual16I8>();
    #[cfg(feature = "int4")]
    let mismatches = mismatches + rows::run::<dual16::Dual16I4>();
    mismatches + multiplication() + halves() + gate::run()
}

/// Compares the instruction that requantizes.
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
    // Products where rounding turns: odd multiples of 2^31, and their neighbours.
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

/// Compares the instructions on half words.
fn halves() -> u32 {
    let mut tally = Tally::default();
    let mut random = Random::new();
    for _ in 0..5_000 {
        let (a, x) = (random.next(), random.any_magnitude() as u32);
        tally.one(sxtb16(x) == sxtb16_portable(x));
        tally.one(sxtb16_ror8(x) == sxtb16_ror8_portable(x));
        tally.one(sxtab16(a, x) == sxtab16_portable(a, x));
        tally.one(sxtab16_ror8(a, x) == sxtab16_ror8_portable(a, x));
        tally.one(smulwb(a as i32, x as i32) == smulwb_portable(a as i32, x as i32));
    }
    tally.report("halves")
}
