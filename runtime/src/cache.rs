//! The rings: the older inputs of each level, kept so that a new character costs one node per level.
//!
//! When the window moves on by one character, only the newest node of each level is new; all others were computed
//! before. Level `l` fuses its newest input with the inputs that are `d`, `2 d`, ... characters older, where `d` is its
//! dilation. A ring of the last `(fuse - 1) d` inputs holds all of them.
//!
//! ```text
//! fuse 2, dilation 4, before character t:        after:
//!   slot      0    1    2    3                     0    1    2    3
//!   input    t-4  t-3  t-2  t-1                    t   t-3  t-2  t-1
//!             ^ oldest: fused with t, then replaced by it
//! ```
//!
//! (Le Paine et al., "Fast Wavenet Generation Algorithm", 2016, where a ring is called a cache.)

use crate::rows::part;

/// Place of a level's ring among the rings of all levels, in cells.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// First cell of the ring.
    pub start: usize,
    /// Cells per entry.
    pub width: usize,
    /// Number of entries.
    pub len: usize,
}

impl Ring {
    /// Returns the first cell of the entry in a slot.
    #[inline]
    pub fn entry(self, slot: usize) -> usize {
        self.start + slot * self.width
    }

    /// Returns the slot that is `by` entries after another, at most one round.
    #[inline]
    pub fn after(self, slot: usize, by: usize) -> usize {
        let after = slot + by;
        if after >= self.len { after - self.len } else { after }
    }

    /// Returns the entry in a slot, or an empty slice if the slot is out of range.
    #[inline]
    pub fn get<T>(self, rings: &[T], slot: usize) -> &[T] {
        part(rings, self.entry(slot), self.width)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn holds_the_inputs_at_the_right_distance() {
        for fuse in [2, 3, 4, 8] {
            for dilation in [1, 2, 3, 4, 8] {
                let ring = Ring { start: 3, width: 2, len: (fuse - 1) * dilation };
                let mut rings = vec![-1_i32; 3 + ring.len * ring.width];
                let mut oldest = 0;
                let mut history: Vec<i32> = Vec::new();
                for t in 0..100 {
                    history.push(t);
                    let mut input = Vec::new();
                    let mut slot = oldest;
                    for _ in 1..fuse {
                        input.extend_from_slice(ring.get(&rings, slot));
                        slot = ring.after(slot, dilation);
                    }
                    input.extend([t, t]);
                    rings[ring.entry(oldest)..][..2].copy_from_slice(&[t, t]);
                    oldest = ring.after(oldest, 1);
                    let expected: Vec<i32> = (0..fuse)
                        .rev()
                        .flat_map(|k| {
                            let seen = history.len().checked_sub(1 + k * dilation).map_or(-1, |at| history[at]);
                            [seen, seen]
                        })
                        .collect();
                    assert_eq!(input, expected, "fuse {fuse}, dilation {dilation}, t {t}");
                }
                assert!(ring.get(&rings, ring.len).is_empty());
            }
        }
    }
}
