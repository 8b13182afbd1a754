//! One step through the tree: takes a character and computes the logits for the next one.
//!
//! ```text
//! hidden = embedding of the character
//! for each level, from the characters up:
//!     input  = the older inputs from the level's ring, oldest first, then hidden
//!     ring   : hidden replaces its oldest entry
//!     hidden = activation(weights * input + bias)
//! logits = weights * hidden + bias          with skip connections: hidden = newest outputs of all levels, side by side
//! ```
//!
//! The loop is the same for every kind of number. [`Numbers`] is the network in one kind.

use super::numbers::{Input, Layer, Numbers, Scratch};
use super::state::Buffers;
use crate::cache::Ring;
use crate::config::Level;
use crate::format::header::Fields;
use crate::rows::{part, round_up};

/// Takes a character. With `start`, puts every level into the state after endless repetitions of that character, which
/// is the start of a word if the character is the boundary. `observe` receives the output of every level.
///
/// The rings never start with zeros: training pads with the boundary, whose embedding is not zero.
// `observe` is generic, so the copy of this function without an observer has no trace of one.
#[inline(never)]
pub(crate) fn step<N: Numbers>(
    net: &N,
    header: &Fields<'_>,
    buffers: &mut Buffers<'_, N>,
    characters: &N::Characters,
    start: bool,
    mut observe: impl FnMut(usize, &[N::Cell]),
) {
    let levels = header.config.levels();
    let mut walk = match net.look_up(header, characters, start, buffers, &mut observe) {
        Some(walk) => walk,
        None => {
            let dilation = levels.iter().take(N::FIRST_LEVEL).map(|level| usize::from(level.fuse)).product();
            let width = net.embed(header, characters, buffers.hidden);
            Walk { index: N::FIRST_LEVEL, width, ring_start: 0, dilation }
        }
    };
    for level in levels.get(walk.index..).unwrap_or(&[]) {
        walk.level(net, header, buffers, level, start);
        observe(walk.index - 1, part(buffers.hidden, 0, walk.width));
    }
    walk.output(net, header, buffers);
}

/// Observer that does nothing.
pub(crate) fn unobserved<C>(_level: usize, _values: &[C]) {}

/// Inputs of a level.
#[derive(Clone, Copy)]
struct Inputs {
    ring: Ring,
    /// Slot of the oldest entry.
    slot: usize,
    fuse: usize,
    dilation: usize,
    /// True at the start of a word.
    start: bool,
}

/// Computes a level whose positions are added one by one. `hidden` begins with the newest input, which replaces the
/// oldest in the ring. Returns the first cell of the newest entry, and the slot of the oldest.
// Not inlined where `exchange` does this, so that the rare case takes no registers from the frequent one.
#[cfg_attr(kernel = "mve", inline(never))]
#[cfg_attr(not(kernel = "mve"), inline(always))]
fn one_by_one<L: Layer>(
    layer: &L,
    Inputs { ring, mut slot, fuse, dilation, start }: Inputs,
    words: &mut [L::Word],
    rings: &mut [L::Cell],
    hidden: &mut [L::Cell],
    copy: impl Fn(&[L::Cell], &mut [L::Cell]),
) -> (usize, usize) {
    let (mut input, newest) = (layer.input(words), part(hidden, 0, ring.width));
    // At the start the level has seen nothing else: every older input equals this one, and every entry of the ring
    // becomes it.
    let (mut older, mut at) = (slot, ring.entry(slot));
    for _ in 1..fuse {
        input.push(if start { newest } else { ring.get(rings, older) }, false);
        older = ring.after(older, dilation);
    }
    input.push(newest, true);
    for _ in 0..if start { ring.len } else { 1 } {
        at = ring.entry(slot);
        copy(newest, rings.get_mut(at..).unwrap_or(&mut []));
        slot = ring.after(slot, 1);
    }
    layer.level(input, hidden);
    (at, slot)
}

/// Progress of a step.
pub(crate) struct Walk {
    /// Index of the next layer.
    pub index: usize,
    /// Cells at the front of `hidden`: the input of the next layer.
    pub width: usize,
    /// First cell of the next level's ring.
    pub ring_start: usize,
    /// Distance in characters between the inputs of the next level.
    pub dilation: usize,
}

impl Walk {
    /// Computes one node of a level.
    // The buffers have the sizes of this model, so none of the parts taken here is missing.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn level<N: Numbers>(
        &mut self,
        net: &N,
        header: &Fields<'_>,
        buffers: &mut Buffers<'_, N>,
        level: &Level,
        start: bool,
    ) {
        let Self { index, width, dilation, .. } = *self;
        let (fuse, values) = (usize::from(level.fuse), usize::from(level.width));
        let ring = Ring { start: self.ring_start, width, len: (fuse - 1) * dilation };
        let layer = net.layer(header, index, values * header.config.activation().rows_per_value());
        let Buffers { rings, oldest, newest_at, scratch, hidden } = buffers;
        let (Some(oldest), Some(newest_at)) = (oldest.get_mut(index), newest_at.get_mut(index)) else { return };
        let newest = part(hidden, 0, width);
        let slot = if start { 0 } else { usize::from(*oldest) };
        let (words, at) = (scratch.input(), ring.entry(slot));
        let exchanged = match !start && fuse == 2 {
            true => layer.exchange(newest, rings.get_mut(at..).unwrap_or(&mut []), words),
            false => Err(words),
        };
        (*newest_at, *oldest) = match exchanged {
            Ok(input) => {
                layer.level(input, hidden);
                (at, ring.after(slot, 1) as u16)
            }
            Err(words) => {
                let inputs = Inputs { ring, slot, fuse, dilation, start };
                let (at, slot) = one_by_one(&layer, inputs, words, rings, hidden, N::copy);
                (at, slot as u16)
            }
        };
        *self = Self {
            index: index + 1,
            width: N::cells(values),
            ring_start: self.ring_start + round_up(ring.len * width, N::RING_ALIGN),
            dilation: dilation * fuse,
        };
    }

    /// Computes the logits.
    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline(never))]
    fn output<N: Numbers>(self, net: &N, header: &Fields<'_>, buffers: &mut Buffers<'_, N>) {
        let config = &header.config;
        let layer = net.layer(header, self.index, config.vocab_size());
        let Buffers { rings, newest_at, scratch, hidden, .. } = buffers;
        let (words, logits) = scratch.input_and_logits();
        let last = hidden.get_mut(..self.width).unwrap_or(&mut []);
        let input = if config.skip() {
            let mut input = layer.input(words);
            // The output of a level is the newest entry in the ring of the level above.
            let [_, above @ ..] = newest_at;
            let below = config.levels().split_last().map_or(&[][..], |(_, below)| below);
            for (index, (level, &mut at)) in below.iter().zip(above).enumerate() {
                let cells = part(rings, at, net.cells_of(header, index, level.width.into()));
                input.push(net.output_of(header, index, cells), false);
            }
            input.push(last, true);
            input
        } else {
            layer.input_of(last, words)
        };
        layer.output(input, logits);
    }
}
