//! The state of [`STREAMS`] words, a lane each, and how they move on together.

use alloc::vec;
use alloc::vec::Vec;

use rand_core::Rng;

use crate::config::{LevelShape, LinearShape};
use crate::kernels::host::{STREAMS, Tile};
use crate::sampling::{LogitsMut, Sampling};
use crate::vocab::{BOUNDARY, Token};

/// A network for tiles. A *cell* is what a level hands on: an f32, or four activations in a word.
pub trait Network {
    /// Values between levels.
    type Cell: Copy + Default;
    /// Values behind the output layer.
    type Logit: Copy + Default;

    /// The sizes of every level, from the characters up.
    fn shapes(&self) -> &[LevelShape];
    /// The sizes of the output layer: of one position, or of one for each level.
    fn output_shape(&self) -> LinearShape<'_>;
    /// Cells of `width` values.
    fn cells(width: usize) -> usize;
    /// Cells that the kernels write for a level: all its rows, in blocks.
    fn cells_written(shape: &LevelShape) -> usize;
    /// Number of tokens.
    fn vocab_size(&self) -> usize;
    /// Level 0 for one word: the cells for the characters of its positions, oldest first.
    fn first(&self, tokens: &[Token], each: impl FnMut(usize, Self::Cell));
    /// Level `index`, from 1 on: `x` `[fuse][cells]`, `y` `[cells_written]`, of which the first `cells` are the level's values.
    fn level(&self, index: usize, x: &[Tile<Self::Cell>], y: &mut [Tile<Self::Cell>]);
    /// The output layer: `x` the cells of its positions, `logits` `[padded(vocab_size)]`.
    fn output(&self, x: &[Tile<Self::Cell>], logits: &mut [Tile<Self::Logit>]);
    /// The logits of one word, for the sampler.
    fn logits(logits: &mut [Self::Logit]) -> LogitsMut<'_>;
}

/// The inputs that a level remembers, as in [`crate::cache`], for all lanes.
struct Ring<C> {
    /// `[ring_len][cells]`.
    entries: Vec<Tile<C>>,
    /// The same of a word at its start, oldest first.
    start: Vec<C>,
    /// The slot of the oldest entry, for all lanes: where a ring begins makes no difference.
    oldest: usize,
    cells: usize,
    len: usize,
    shape: LevelShape,
}

/// [`Ring::advance`] or [`Ring::fill`].
type Gather<C> = fn(&mut Ring<C>, &[Tile<C>], &mut [Tile<C>]);

/// [`STREAMS`] words in the making.
pub struct Lanes<'n, N: Network> {
    network: &'n N,
    /// The last characters of each lane, as many as level 0 fuses, oldest first.
    recent: Vec<Token>,
    recent_start: Vec<Token>,
    /// From level 1 on.
    rings: Vec<Ring<N::Cell>>,
    input: Vec<Tile<N::Cell>>,
    hidden: Vec<Tile<N::Cell>>,
    /// The input of an output layer that reads all levels.
    skipped: Vec<Tile<N::Cell>>,
    logits: Vec<Tile<N::Logit>>,
    logits_start: Vec<N::Logit>,
    /// The logits of one lane.
    drawn_from: Vec<N::Logit>,
}

impl<'n, N: Network> Lanes<'n, N> {
    /// All lanes at the start of a word, behind the prompt.
    pub fn new(network: &'n N, prompt: &[Token]) -> Self {
        let (shapes, output) = (network.shapes(), network.output_shape());
        let fuse = shapes.first().map_or(1, |shape| shape.fuse);
        let rings: Vec<_> = shapes.iter().skip(1).map(|&shape| Ring::new(shape, N::cells(shape.width_in))).collect();
        let widest = |cells: fn(&LevelShape) -> usize| shapes.iter().map(cells).max().unwrap_or(0);
        let mut lanes = Self {
            network,
            recent: vec![BOUNDARY; fuse * STREAMS],
            recent_start: vec![BOUNDARY; fuse],
            rings,
            input: vec![Tile::default(); widest(|shape| shape.fuse * N::cells(shape.width_in))],
            hidden: vec![Tile::default(); widest(N::cells_written)],
            skipped: vec![
                Tile::default();
                if !output.levels.is_empty() { output.start(output.positions, N::cells) } else { 0 }
            ],
            logits: vec![Tile::default(); crate::rows::padded(network.vocab_size())],
            logits_start: vec![N::Logit::default(); network.vocab_size()],
            drawn_from: vec![N::Logit::default(); network.vocab_size()],
        };
        lanes.step(Ring::fill);
        for &token in prompt {
            lanes.push(&[token; STREAMS]);
        }
        // All lanes are the same now: what the first has is what every word starts from.
        for ring in &mut lanes.rings {
            ring.start = (0..ring.len * ring.cells).map(|at| ring.entries[ring.slot(at)].0[0]).collect();
        }
        lanes.recent_start = lanes.recent[..fuse].to_vec();
        lanes.logits_start.iter_mut().zip(&lanes.logits).for_each(|(start, logits)| *start = logits.0[0]);
        lanes
    }

    /// Puts a lane back to the start of a word.
    pub fn restart(&mut self, lane: usize) {
        let fuse = self.recent_start.len();
        self.recent[lane * fuse..][..fuse].copy_from_slice(&self.recent_start);
        for ring in &mut self.rings {
            for at in 0..ring.start.len() {
                let slot = ring.slot(at);
                ring.entries[slot].0[lane] = ring.start[at];
            }
        }
        self.logits.iter_mut().zip(&self.logits_start).for_each(|(logits, &start)| logits.0[lane] = start);
    }

    /// Takes a character in every lane.
    pub fn push(&mut self, tokens: &[Token; STREAMS]) {
        let fuse = self.recent_start.len();
        for (recent, &token) in self.recent.chunks_exact_mut(fuse).zip(tokens) {
            recent.copy_within(1.., 0);
            recent[fuse - 1] = token;
        }
        self.step(Ring::advance);
    }

    /// Draws the next character of a lane.
    pub fn draw(&mut self, lane: usize, sampling: &Sampling, rng: &mut impl Rng) -> Token {
        self.drawn_from.iter_mut().zip(&self.logits).for_each(|(to, logits)| *to = logits.0[lane]);
        sampling.draw(N::logits(&mut self.drawn_from), rng)
    }

    fn step(&mut self, gather: Gather<N::Cell>) {
        let (network, hidden) = (self.network, &mut self.hidden);
        let fuse = self.recent_start.len();
        for (lane, recent) in self.recent.chunks_exact(fuse).enumerate() {
            network.first(recent, |cell, value| hidden[cell].0[lane] = value);
        }
        for (index, ring) in self.rings.iter_mut().enumerate() {
            let input = &mut self.input[..ring.shape.fuse * ring.cells];
            gather(ring, &hidden[..ring.cells], input);
            let written = N::cells_written(&ring.shape);
            network.level(index + 1, input, &mut hidden[..written]);
        }
        let last = N::cells(network.shapes().last().map_or(0, |shape| shape.width_out));
        if self.skipped.is_empty() {
            return network.output(&hidden[..last], &mut self.logits);
        }
        // What a level gave is the newest entry in the ring of the one above it.
        let mut at = 0;
        for newest in self.rings.iter().map(Ring::newest).chain([&hidden[..last]]) {
            self.skipped[at..at + newest.len()].copy_from_slice(newest);
            at += newest.len();
        }
        network.output(&self.skipped, &mut self.logits);
    }
}

impl<C: Copy + Default> Ring<C> {
    fn new(shape: LevelShape, cells: usize) -> Self {
        let len = shape.ring_len;
        Self { entries: vec![Tile::default(); len * cells], start: Vec::new(), oldest: 0, cells, len, shape }
    }

    /// Where cell `at` of the entries, counted from the oldest on, lies.
    fn slot(&self, at: usize) -> usize {
        let slot = self.oldest * self.cells + at;
        if slot < self.entries.len() { slot } else { slot - self.entries.len() }
    }

    /// [`crate::cache::newest`].
    fn newest(&self) -> &[Tile<C>] {
        let slot = self.oldest.checked_sub(1).unwrap_or(self.len - 1);
        &self.entries[slot * self.cells..][..self.cells]
    }

    /// [`crate::cache::reset`].
    fn fill(&mut self, entry: &[Tile<C>], input: &mut [Tile<C>]) {
        let all = self.entries.chunks_exact_mut(self.cells).chain(input.chunks_exact_mut(self.cells));
        all.for_each(|slot| slot.copy_from_slice(entry));
        self.oldest = 0;
    }

    /// [`crate::cache`].
    fn advance(&mut self, newest: &[Tile<C>], input: &mut [Tile<C>]) {
        let (older, last) = input.split_at_mut((self.shape.fuse - 1) * self.cells);
        let mut slot = self.oldest;
        for segment in older.chunks_exact_mut(self.cells) {
            segment.copy_from_slice(&self.entries[slot * self.cells..][..self.cells]);
            slot += self.shape.dilation;
            if slot >= self.len {
                slot -= self.len;
            }
        }
        last.copy_from_slice(newest);
        self.entries[self.oldest * self.cells..][..self.cells].copy_from_slice(newest);
        self.oldest = if self.oldest + 1 < self.len { self.oldest + 1 } else { 0 };
    }
}

/// Level 0 for every combination of characters, where there are few; its output depends on nothing else.
///
/// A pair of 27 characters and 128 values in 8 bits: 93 kB, which a core keeps beside the weights.
pub struct Pairs<C> {
    vocab_size: usize,
    cells: usize,
    /// `[vocab_size]...[vocab_size][cells]`, the oldest character first; empty if there are too many.
    rows: Vec<C>,
}

/// Bytes that are few enough.
const MAX_PAIRS_BYTES: usize = 1 << 20;

impl<C: Copy> Pairs<C> {
    /// Computes them all by `first`, `cells` for each.
    pub fn new(vocab_size: usize, fuse: usize, cells: usize, first: impl Fn(&[Token]) -> Vec<C>) -> Self {
        let bytes = u32::try_from(fuse).ok().and_then(|fuse| vocab_size.checked_pow(fuse));
        let count = bytes.filter(|&count| count <= MAX_PAIRS_BYTES / (cells.max(1) * size_of::<C>())).unwrap_or(0);
        let mut tokens = vec![BOUNDARY; fuse];
        let mut rows = Vec::with_capacity(count * cells);
        for _ in 0..count {
            rows.extend(first(&tokens));
            for token in tokens.iter_mut().rev() {
                *token = if usize::from(*token) + 1 < vocab_size { *token + 1 } else { BOUNDARY };
                if *token != BOUNDARY {
                    break;
                }
            }
        }
        Self { vocab_size, cells, rows }
    }

    /// The cells for `tokens`, if they are kept.
    pub fn get(&self, tokens: &[Token]) -> Option<&[C]> {
        if self.rows.is_empty() {
            return None;
        }
        let index = tokens.iter().fold(0, |index, &token| index * self.vocab_size + usize::from(token));
        Some(&self.rows[index * self.cells..][..self.cells])
    }
}
