//! Compares the core's instructions for gates with their definition.

use runtime::kernels::gate_i8;
use runtime::kernels::routine::portable;

use crate::random::Random;
use crate::tally::Tally;

/// Largest number of values of a case, plus some after it that must not change.
const LEN: usize = 308;

/// Runs the kernel and its definition on the same values and gates; `begin` and `other` are offsets in memory.
fn compare(tally: &mut Tally, values: &[i8], gates: &[i8], [begin, other]: [usize; 2]) {
    let mut out = [[9; LEN]; 2];
    let mut gates_at = [9; LEN];
    gates_at[other..other + gates.len()].copy_from_slice(gates);
    for (run, out) in [gate_i8, portable::gate_i8].into_iter().zip(&mut out) {
        let out = &mut out[begin..];
        out[..values.len()].copy_from_slice(values);
        run(&mut out[..values.len()], &gates_at[other..other + gates.len()]);
    }
    tally.cases += values.len().min(gates.len()) as u32;
    tally.also(&out[0], &out[1]);
}

/// Compares, and prints the result. Returns how many numbers differ.
pub fn run() -> u32 {
    let mut tally = Tally::default();
    let all: [i8; 255] = core::array::from_fn(|at| (at as i32 - 127) as i8);
    for value in all {
        compare(&mut tally, &[value; 255], &all, [0, 0]);
    }
    let mut random = Random::new();
    for len in 0..=LEN - 8 {
        // All offsets in memory for short cases, one offset in turn for the others.
        let places = |turn: usize| if len <= 40 { 0..4 } else { turn % 4..turn % 4 + 1 };
        for begin in places(len) {
            for other in places(len / 4) {
                let mut bytes = [[0; LEN]; 2];
                bytes.as_flattened_mut().iter_mut().for_each(|byte| *byte = all[random.below(255)]);
                let [values, gates] = &bytes;
                compare(&mut tally, &values[..len], &gates[..len], [begin, other]);
                // Values without a gate must not change.
                compare(&mut tally, &values[..len + 5], &gates[..len], [begin, other]);
            }
        }
    }
    tally.report("gate")
}
