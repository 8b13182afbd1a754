//! Compares the core's look-up of level 0 for pairs of characters with its definition.

use runtime::activation::TANH;
use runtime::kernels::routine::{self, portable};
use runtime::quant::ACC_LIMIT;

use crate::random::Random;
use crate::tally::Tally;

/// Rows of the largest case.
const ROWS: usize = 300;

/// Compares, and prints the result. Returns how many numbers differ.
pub fn run() -> u32 {
    let mut tally = Tally::default();
    let mut random = Random::new();
    for case in 0..2_000 {
        let len = case % (ROWS + 1);
        let mut words = [[0; ROWS]; 2];
        // Sums up to the limit, for any entries of the table.
        words[0].iter_mut().for_each(|bias| *bias = random.any_magnitude() % (ACC_LIMIT - 2 * 128));
        words[1].iter_mut().for_each(|multiplier| *multiplier = random.any_magnitude() & i32::MAX);
        let mut bytes = [[0; ROWS]; 2];
        bytes.as_flattened_mut().iter_mut().for_each(|byte| *byte = random.next() as i8);
        // One of the slices may be shorter.
        let short = [case % 5, case % 7].map(|left| len - usize::from(left == 0 && len > 0));
        let entries = [&bytes[0][..len], &bytes[1][..short[0]]];
        let mut out = [[9; ROWS]; 2];
        for (run, out) in [routine::look_up_pair, portable::look_up_pair].into_iter().zip(&mut out) {
            run(&words[0][..len], &words[1][..short[1]], entries, &TANH, &mut out[..len]);
        }
        // The values after them must not change.
        let [(out, more), (defined, defined_more)] = out.each_ref().map(|out| out.split_at(len));
        tally.each(out, defined);
        tally.also(more, defined_more);
    }
    tally.report("pairs")
}
