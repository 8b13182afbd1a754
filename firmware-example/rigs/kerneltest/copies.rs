//! Compares the assembly routines of `firmware_example` that copy and clear memory with loops over single bytes.

use core::hint::black_box;

use crate::tally::Tally;

/// Length of the buffers: several times what any loop of the routines handles at once.
const LEN: usize = 80;

/// Compares, and prints the result. Returns how many bytes differ.
pub fn run() -> u32 {
    let mut tally = Tally::default();
    let source: [u8; LEN + 8] = core::array::from_fn(|at| (at * 37 + 11) as u8);
    for len in 0..=LEN {
        for (from, to) in (0..16).map(|at| (at / 4, at % 4)) {
            // The bytes before and after must not change.
            let mut copied = [0x55; LEN + 8];
            // Hides the length from the compiler, which would otherwise generate its own code for the copy.
            copied[to..to + black_box(len)].copy_from_slice(&source[from..from + black_box(len)]);
            let mut filled = [0x55; LEN + 8];
            filled[to..to + black_box(len)].fill(black_box(from as u8 + 0xf0));
            for at in 0..LEN + 8 {
                let inside = (to..to + len).contains(&at);
                let (copy, fill) = if inside { (source[at - to + from], from as u8 + 0xf0) } else { (0x55, 0x55) };
                tally.one(black_box(copied[at]) == copy && black_box(filled[at]) == fill);
            }
        }
    }
    tally.report("copies")
}
