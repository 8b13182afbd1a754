//! The state of [`STREAMS`] words, one lane each, and its steps: the walk of [`crate::model`], on tiles.

use alloc::vec;
use alloc::vec::Vec;

use rand_core::Rng;

use crate::cache::Ring;
use crate::format::header::Fields;
use crate::kernels::host::{STREAMS, Tile};
use crate::limits::MAX_LEVELS;
use crate::model::numbers::Numbers;
use crate::model::side_by_side::{Apart, SideBySide};
use crate::model::state::Buffers;
use crate::model::walk::step;
use crate::rows::padded;
use crate::sampling::{Logit, Sampling};
use crate::vocab::{BOUNDARY, Token};

/// Network for tiles. A *cell* is a tile of f32, or of words of four activations each.
///
/// [`Numbers::embed`] reads the last characters of each lane, oldest first. Their number is the fuse of level 0.
pub trait Network:
    for<'s> Numbers<
        Characters = [Token],
        Cell = Tile<Self::Value>,
        Word = Tile<Self::Value>,
        Logit = Tile<Self::LaneLogit>,
        Scratch<'s> = Apart<'s, Tile<Self::Value>, Tile<Self::LaneLogit>>,
    >
{
    /// Element of a cell: the value of one lane.
    type Value: Copy + Default;
    /// Logit of one lane.
    type LaneLogit: Logit + Default;

    /// Returns the sizes of the network.
    fn header(&self) -> &Fields<'_>;

    /// Returns the number of cells that [`Numbers::embed`] writes: level 0, which has `width` values.
    fn cells_of_level_0(&self, width: usize) -> usize {
        Self::cells(width)
    }

    /// Returns the number of cells that the kernels write, in blocks, for a level of `rows_per_value * width` rows.
    fn cells_written(rows_per_value: usize, width: usize) -> usize;
}

/// Cells of a layer's input, for the kernels of tiles.
pub type Cells<'x, T> = SideBySide<'x, Tile<T>>;

/// State of [`STREAMS`] words.
pub struct Lanes<'n, N: Network> {
    network: &'n N,
    /// Last characters of each lane, oldest first. Their number is the fuse of level 0.
    recent: Vec<Token>,
    /// Rings from level 1 on.
    rings: Vec<Tile<N::Value>>,
    oldest: [u16; MAX_LEVELS],
    shapes: Vec<Ring>,
    input: Vec<Tile<N::Value>>,
    hidden: Vec<Tile<N::Value>>,
    logits: Vec<Tile<N::LaneLogit>>,
    start: Start<N>,
    /// Logits of the lane that draws.
    drawn_from: Vec<N::LaneLogit>,
}

/// State of one lane at the start of a word, after the prompt.
struct Start<N: Network> {
    recent: Vec<Token>,
    /// Cells of each ring, from the oldest entry on.
    rings: Vec<Vec<N::Value>>,
    logits: Vec<N::LaneLogit>,
}

impl<'n, N: Network> Lanes<'n, N> {
    /// Puts all lanes at the start of a word, after the prompt.
    pub fn new(network: &'n N, prompt: &[Token]) -> Self {
        let config = &network.header().config;
        let rows_per_value = config.activation().rows_per_value();
        let fuse = config.levels().first().map_or(1, |level| usize::from(level.fuse));
        let mut place = 0;
        // Cells per position of the input of a level from level 1 on.
        let width = |level: usize, width_in: usize| {
            if level == 1 { network.cells_of_level_0(width_in) } else { N::cells(width_in) }
        };
        let shapes: Vec<Ring> = config
            .shapes()
            .enumerate()
            .skip(1)
            .map(|(level, shape)| {
                let ring = Ring { start: place, width: width(level, shape.width_in), len: shape.ring_len };
                place += ring.len * ring.width;
                ring
            })
            .collect();
        let levels = config.shapes().enumerate().skip(1);
        let inputs = levels.map(|(level, shape)| shape.fuse * width(level, shape.width_in));
        let output = config.output_shape();
        let widest_input = inputs.chain([output.start(output.positions, N::cells)]).max().unwrap_or(0);
        let widths = config.levels().iter().map(|level| N::cells_written(rows_per_value, level.width.into()));
        let width_0 = config.levels().first().map_or(0, |level| network.cells_of_level_0(level.width.into()));
        let vocab_size = config.vocab_size();
        let mut lanes = Self {
            network,
            recent: vec![BOUNDARY; fuse * STREAMS],
            rings: vec![Tile::default(); place],
            oldest: [0; MAX_LEVELS],
            shapes,
            input: vec![Tile::default(); widest_input],
            hidden: vec![Tile::default(); widths.chain([width_0]).max().unwrap_or(0)],
            logits: vec![Tile::default(); padded(vocab_size)],
            start: Start { recent: Vec::new(), rings: Vec::new(), logits: Vec::new() },
            drawn_from: vec![N::LaneLogit::default(); vocab_size],
        };
        lanes.step(true);
        prompt.iter().for_each(|&token| lanes.push_recent(fuse, &[token; STREAMS]));
        // All lanes are equal now, so the first is the state from which every word starts.
        lanes.start = Start {
            recent: lanes.recent[..fuse].to_vec(),
            rings: (0..lanes.shapes.len())
                .map(|ring| lanes.cells_of(ring).map(|at| lanes.rings[at].0[0]).collect())
                .collect(),
            logits: lanes.logits[..vocab_size].iter().map(|logits| logits.0[0]).collect(),
        };
        lanes
    }

    /// Returns the places of a ring's cells, from the oldest entry on. Ring 0 belongs to level 1.
    fn cells_of(&self, ring: usize) -> impl Iterator<Item = usize> + use<N> {
        let (shape, oldest) = (self.shapes[ring], usize::from(self.oldest[ring + 1]));
        (0..shape.len).flat_map(move |by| {
            let entry = shape.entry(shape.after(oldest, by));
            entry..entry + shape.width
        })
    }

    /// Resets a lane to the start of a word.
    pub fn restart(&mut self, lane: usize) {
        let fuse = self.start.recent.len();
        self.recent[lane * fuse..][..fuse].copy_from_slice(&self.start.recent);
        for ring in 0..self.shapes.len() {
            for (at, &cell) in self.cells_of(ring).zip(&self.start.rings[ring]) {
                self.rings[at].0[lane] = cell;
            }
        }
        self.logits.iter_mut().zip(&self.start.logits).for_each(|(logits, &start)| logits.0[lane] = start);
    }

    /// Takes a character in every lane.
    pub fn push(&mut self, tokens: &[Token; STREAMS]) {
        self.push_recent(self.start.recent.len(), tokens);
    }

    fn push_recent(&mut self, fuse: usize, tokens: &[Token; STREAMS]) {
        for (recent, &token) in self.recent.chunks_exact_mut(fuse).zip(tokens) {
            recent.copy_within(1.., 0);
            recent[fuse - 1] = token;
        }
        self.step(false);
    }

    /// Draws the next character of a lane.
    pub fn draw(&mut self, lane: usize, sampling: &Sampling, rng: &mut impl Rng) -> Token {
        self.drawn_from.iter_mut().zip(&self.logits).for_each(|(to, logits)| *to = logits.0[lane]);
        sampling.draw(&mut self.drawn_from, rng)
    }

    fn step(&mut self, start: bool) {
        let mut buffers = Buffers::<N> {
            rings: &mut self.rings,
            oldest: &mut self.oldest,
            newest_at: [0; MAX_LEVELS],
            scratch: Apart { input: &mut self.input, logits: &mut self.logits },
            hidden: &mut self.hidden,
        };
        step(self.network, self.network.header(), &mut buffers, &self.recent[..], start, |_, _| {});
    }
}

/// Returns the last characters of each lane.
pub fn of_lanes(recent: &[Token]) -> impl Iterator<Item = &[Token]> {
    recent.chunks_exact(recent.len() / STREAMS)
}
