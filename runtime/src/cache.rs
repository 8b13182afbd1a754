//! The rings: what each level must remember so that a new character costs one node per level.
//!
//! When the window moves on by one character, every node of the tree but the newest of each level was computed
//! before. Level `l` fuses its newest input with inputs `d`, `2 d`, ... characters older, where `d` is its dilation;
//! a ring of the last `(fuse - 1) d` inputs holds them all.
//!
//! ```text
//! fuse 2, dilation 4, before character t:        after:
//!   slot      0    1    2    3                     0    1    2    3
//!   input    t-4  t-3  t-2  t-1                    t   t-3  t-2  t-1
//!             ^ oldest: fused with t, then replaced by it
//! ```
//!
//! This is the cache of fast WaveNet generation (Le Paine et al., "Fast Wavenet Generation Algorithm", 2016).

use crate::config::LevelShape;

/// Where a level's ring lies among those of all levels, in values.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// Its first value.
    pub start: usize,
    /// Values of an entry.
    pub width: usize,
    /// Entries.
    pub len: usize,
}

impl Ring {
    /// Where an entry begins.
    #[inline]
    pub fn entry(self, slot: usize) -> usize {
        self.start + slot * self.width
    }

    /// The slot so many behind another, at most a round.
    #[inline]
    pub fn behind(self, slot: usize, by: usize) -> usize {
        let behind = slot + by;
        if behind >= self.len { behind - self.len } else { behind }
    }
}

/// The older input that a level fuses at `position` (0 is the oldest; the newest is in no ring yet); empty if there is none.
///
/// Shapes: `ring` `[ring_len][width_in]`; `oldest` is the slot of the oldest entry.
pub fn older<T>(shape: LevelShape, ring: &[T], oldest: u16, position: usize) -> &[T] {
    let mut slot = usize::from(oldest) + position * shape.dilation;
    if slot >= shape.ring_len {
        slot -= shape.ring_len;
    }
    entry(shape, ring, slot)
}

/// The entry in a slot; empty if there is none.
#[inline]
fn entry<T>(shape: LevelShape, ring: &[T], slot: usize) -> &[T] {
    ring.get(slot * shape.width_in..).and_then(|ring| ring.get(..shape.width_in)).unwrap_or(&[])
}

/// The entry that was pushed last.
///
/// Shapes and `oldest` as for [`older`].
pub fn newest<T>(shape: LevelShape, ring: &[T], oldest: u16) -> &[T] {
    entry(shape, ring, usize::from(oldest).checked_sub(1).unwrap_or(shape.ring_len - 1))
}

/// The slot of the oldest entry.
#[inline]
pub fn slot<T>(shape: LevelShape, ring: &mut [T], oldest: u16) -> &mut [T] {
    let start = usize::from(oldest) * shape.width_in;
    ring.get_mut(start..).and_then(|ring| ring.get_mut(..shape.width_in)).unwrap_or(&mut [])
}

/// The oldest is now the next one: when the newest has taken its place.
#[inline]
pub fn advance(shape: LevelShape, oldest: &mut u16) {
    let next = usize::from(*oldest) + 1;
    // No ring is longer than a block, which fits.
    *oldest = if next >= shape.ring_len { 0 } else { next as u16 };
}

/// Every slot, to be filled with one and the same entry: the state of a level that has only ever seen the boundary. The ring may have
/// something behind it.
pub fn reset<'r, T>(shape: LevelShape, ring: &'r mut [T], oldest: &mut u16) -> impl Iterator<Item = &'r mut [T]> {
    *oldest = 0;
    let mut left = ring;
    // Not `chunks_exact_mut`, which divides.
    (0..shape.ring_len).map_while(move |_| {
        let (slot, rest) = core::mem::take(&mut left).split_at_mut_checked(shape.width_in)?;
        left = rest;
        Some(slot)
    })
}

/// `copy_from_slice` without its panic: what is longer on one side is left alone.
pub fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn fuses_the_inputs_at_the_right_distance() {
        for fuse in [2, 3, 4, 8] {
            for dilation in [1, 2, 3, 4, 8] {
                let shape = LevelShape {
                    fuse,
                    width_in: 2,
                    fan_in: fuse * 2,
                    fan_out: 1,
                    width_out: 1,
                    dilation,
                    ring_len: (fuse - 1) * dilation,
                };
                let mut ring = vec![0_i32; shape.ring_len * 2];
                let mut oldest = 7;
                reset(shape, &mut ring, &mut oldest).for_each(|slot| copy(slot, &[-1, -1]));
                let mut history: Vec<i32> = Vec::new();
                for t in 0..100 {
                    history.push(t);
                    let newest = [t, t];
                    let older = (0..fuse - 1).map(|position| older(shape, &ring, oldest, position));
                    let input = older.chain([&newest[..]]).collect::<Vec<_>>().concat();
                    copy(slot(shape, &mut ring, oldest), &newest);
                    advance(shape, &mut oldest);
                    let expected: Vec<i32> = (0..fuse)
                        .rev()
                        .flat_map(|k| {
                            let seen = history.len().checked_sub(1 + k * dilation).map_or(-1, |at| history[at]);
                            [seen, seen]
                        })
                        .collect();
                    assert_eq!(input, expected, "fuse {fuse}, dilation {dilation}, t {t}");
                }
            }
        }
    }
}
