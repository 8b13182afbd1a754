//! Copying and clearing, which are routines of `firmware_example` in assembly, against byte after byte.

use core::hint::black_box;

use crate::tally::Tally;

/// Longer than any loop of theirs takes at once, several times.
const LEN: usize = 80;

/// Compares, and reports; how many bytes differ.
pub fn run() -> u32 {
    let mut tally = Tally::default();
    let source: [u8; LEN + 8] = core::array::from_fn(|at| (at * 37 + 11) as u8);
    for len in 0..=LEN {
        for (from, to) in (0..16).map(|at| (at / 4, at % 4)) {
            // What lies around is left alone.
            let mut copied = [0x55; LEN + 8];
            // The compiler must not know the length, or it would make code of its own of it.
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
