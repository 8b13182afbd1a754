//! Compares layout `Vector128` and the routines of the vector extension with their definitions. Also compares rows of
//! random words that need not come from a model: their sums wrap in the same way.

use runtime::activation::TANH;
use runtime::kernels::layout::PackedLayout;
#[cfg(feature = "int4")]
use runtime::kernels::layout::vector128::Vector128I4;
use runtime::kernels::layout::vector128::Vector128I8;
use runtime::kernels::routine::{self, portable};
use runtime::rows::LANES;

use crate::gate;
use crate::pairs;
use crate::random::Random;
use crate::rows;
use crate::tally::Tally;

/// True if the kernels are assembly in this build.
pub const ASSEMBLY: bool = Vector128I8::ASSEMBLY;

/// Compares, and prints the result. Returns how many numbers differ.
pub fn run() -> u32 {
    let mismatches = rows::run::<Vector128I8>() + words::<Vector128I8>();
    #[cfg(feature = "int4")]
    let mismatches = mismatches + rows::run::<Vector128I4>() + words::<Vector128I4>();
    mismatches + copy() + exchange() + gate::run() + pairs::run() + weigh() + pick()
}

/// Columns and rows of the largest case of words.
const GROUP: usize = Vector128I8::GROUP;
const COLUMNS: usize = 40 * GROUP;
const ROWS: usize = 3 * LANES;
/// Number of words of its blocks, including start values and multipliers.
const BLOCKS: usize = 3 * (COLUMNS * LANES / 4 + 2 * LANES);

/// Runs the kernels and their definitions on the same words.
fn all_rows<L: PackedLayout>(tally: &mut Tally, words: &[u32; BLOCKS], x: &[u32], rows: usize) {
    let blocks = &words[..L::block_words(4 * x.len()) * rows / LANES];
    // The values after them must not change.
    let mut out = [[9; ROWS + 1]; 2];
    L::rows(blocks, x, 0, &mut out[0][..rows]);
    L::rows_portable(blocks, x, 0, &mut out[1][..rows]);
    tally.each(&out[0], &out[1]);
    let mut out = [[9; ROWS + 1]; 2];
    L::rows_curve(blocks, x, 0, &TANH, &mut out[0][..rows]);
    L::rows_curve_portable(blocks, x, 0, &TANH, &mut out[1][..rows]);
    tally.each(&out[0], &out[1]);
}

/// Compares random words, then bytes at both ends in many patterns.
fn words<L: PackedLayout>() -> u32 {
    let mut tally = Tally::default();
    let mut random = Random::new();
    let (mut words, mut x) = ([0; BLOCKS], [0; COLUMNS / 4]);
    for columns in (0..=COLUMNS).step_by(GROUP) {
        for rows in (0..=ROWS).step_by(LANES) {
            for _ in 0..2 {
                // Includes multipliers of all magnitudes.
                let shift = random.below(24);
                for (at, word) in words[..L::block_words(columns) * rows / LANES].iter_mut().enumerate() {
                    *word = (random.next() as i32 >> if at.is_multiple_of(3) { shift } else { 0 }) as u32;
                }
                x.iter_mut().for_each(|word| *word = random.next());
                all_rows::<L>(&mut tally, &words, &x[..columns / 4], rows);
            }
        }
    }
    for pattern in 0..256_usize {
        let word = |at: usize| {
            [0x7f7f_7f7f, 0x8181_8181, 0x8080_8080, 0x7f81_7f81, 0x7777_7777, 0x8989_8989, 0x8888_8888, 0x7979_8787]
                [(at ^ pattern).wrapping_mul(0x9e37) >> 5 & 7]
        };
        words.iter_mut().take(2 * L::block_words(64)).enumerate().for_each(|(at, to)| *to = word(at));
        x.iter_mut().take(16).enumerate().for_each(|(at, to)| *to = word(at ^ pattern >> 3));
        all_rows::<L>(&mut tally, &words, &x[..16], 2 * LANES);
    }
    tally.report(if L::NAME == Vector128I8::NAME { "vector128_words" } else { "vector128_words_i4" })
}

fn copy() -> u32 {
    let mut tally = Tally::default();
    let mut random = Random::new();
    for len in 0..=300 {
        let mut from = [0; 300];
        from.iter_mut().for_each(|byte| *byte = random.next() as i8);
        // Any alignment.
        let begin = len % 7;
        let mut out = [[9; 310]; 2];
        routine::copy_i8(&from[..len], &mut out[0][begin..]);
        portable::copy_i8(&from[..len], &mut out[1][begin..]);
        tally.one(out[0] == out[1]);
    }
    tally.report("vector128_copy")
}

fn exchange() -> u32 {
    const LEN: usize = 301;
    let mut tally = Tally::default();
    let mut random = Random::new();
    for len in 0..LEN {
        for odd in 0..5 {
            // At most one of them is at an address that is not a multiple of four.
            let [newest_at, slot_at, input_at, last] =
                [0, 1, 2, 3].map(|which| usize::from(which == odd) * (1 + len % 3));
            // After the first buffer, with or without a gap.
            let last = len.next_multiple_of(4) + last;
            let (mut newest, mut slot) = (Bytes([9; 304]), Bytes([9; 304]));
            newest.0.iter_mut().chain(&mut slot.0).for_each(|byte| *byte = random.next() as i8);
            let mut both = [(slot, Bytes([9; 608])); 2];
            let runs = [routine::exchange_i8, portable::exchange_i8];
            let done = runs.into_iter().zip(&mut both).all(|(run, (slot, input))| {
                run(&newest.0[newest_at..][..len], &mut slot.0[slot_at..], &mut input.0[input_at..], last)
            });
            tally.one(done && both[0] == both[1]);
        }
    }
    tally.report("vector128_exchange")
}

/// Array aligned to words.
#[derive(Clone, Copy, PartialEq)]
#[repr(align(4))]
struct Bytes<const LEN: usize>([i8; LEN]);

fn weigh() -> u32 {
    let mut tally = Tally::default();
    let mut random = Random::new();
    for case in 0..5_000_usize {
        let len = case % 257;
        let shift = random.below(31);
        // Temperatures of all magnitudes, and 0.
        let temperature = (random.next() >> 16 >> random.below(17)) as u16;
        let mut out = [[0; 256]; 2];
        out[0].iter_mut().for_each(|logit| *logit = random.next() as i32 >> shift);
        if case % 7 == 0 {
            out[0][case % 256] = i32::MIN;
            out[0][case % 255] = i32::MAX;
        }
        out[1] = out[0];
        let totals =
            (routine::weigh(&mut out[0][..len], temperature), portable::weigh(&mut out[1][..len], temperature));
        tally.one(out[0] == out[1] && totals.0 == totals.1);
    }
    // Every exponent to the end of the weights, and the ends of the table's steps: at this temperature a difference of
    // 1 is 2^-1.4 steps.
    for first in 0..2_000 {
        let mut out = [[0; 16]; 2];
        for (at, logit) in out[0].iter_mut().enumerate().skip(1) {
            *logit = -(15 * first + at as i32);
        }
        out[1] = out[0];
        let temperature = 1_000 + (first % 3) as u16 * 400;
        let totals = (routine::weigh(&mut out[0], temperature), portable::weigh(&mut out[1], temperature));
        tally.one(out[0] == out[1] && totals.0 == totals.1);
    }
    tally.report("vector128_weigh")
}

fn pick() -> u32 {
    let mut tally = Tally::default();
    let mut random = Random::new();
    let mut weights = [0; 256];
    for case in 0..5_000_usize {
        let len = case % 257;
        // Includes zeros, many or few.
        let most = random.below(20);
        weights.iter_mut().for_each(|weight| {
            *weight = if random.below(20) < most { 0 } else { (random.next() >> (9 + random.below(23))) as i32 };
        });
        let total = weights[..len].iter().fold(0_u32, |sum, &weight| sum + weight as u32);
        for share in [0, random.next(), u32::MAX] {
            // A total that is too large: the search finds no share.
            for total in [total, u32::MAX] {
                let drawn = routine::pick(&weights[..len], total, share);
                tally.one(drawn == portable::pick(&weights[..len], total, share));
            }
        }
    }
    tally.report("vector128_pick")
}
