//! The integer network for tiles.

use alloc::vec;
use alloc::vec::Vec;

use super::lanes::{Cells, Network, of_lanes};
use super::pairs::Pairs;
use crate::activation::Activation;
use crate::config::LinearShape;
use crate::format::WeightFormat;
use crate::format::header::Fields;
use crate::kernels::host::{BlockScaling, STREAMS, Tile, VectorUnit};
use crate::layers::IntegerLayer;
use crate::model::net_int::NetInt;
use crate::model::numbers::{Layer, Numbers};
use crate::model::side_by_side::Apart;
use crate::rows::{LANES, padded};
use crate::vocab::Token;

/// Activations per cell.
const PER_CELL: usize = 4;

/// Network with its weights in the order of [`VectorUnit::tile_i8`], whatever their order in the blob.
pub struct Integer<'m> {
    unit: VectorUnit,
    header: &'m Fields<'m>,
    net: &'m NetInt<'m>,
    pairs: Pairs<u32>,
    width_0: usize,
    /// Rows of level 1.
    rows_1: usize,
    /// Levels from level 1 on, then the output layer.
    layers: Vec<Weights>,
}

/// Weights of a layer.
enum Weights {
    Tiles(TileWeights),
    /// Halves of the sums of level 1, which are read from the blob.
    Halves,
}

impl<'m> Integer<'m> {
    /// Packs the weights.
    pub fn new(header: &'m Fields<'m>, net: &'m NetInt<'m>) -> Self {
        let config = &header.config;
        let (_, layers) = net.unpack(header);
        let shape_0 = config.shapes().next().expect("every network has a level");
        let rows_1 = config.shapes().nth(1).map_or(0, |shape| shape.fan_out);
        let first = |tokens: &[Token]| Self::level_0(header, net, tokens);
        let pairs = Pairs::new(config.vocab_size(), shape_0.fuse, Self::cells(shape_0.width_out), first);
        let values =
            |rows: usize, is_level: bool| if is_level { rows / config.activation().rows_per_value() } else { rows };
        let layers = layers.iter().zip(config.linear_shapes()).enumerate().skip(1).map(|(index, (layer, shape))| {
            if layer.format == WeightFormat::Halves {
                return Weights::Halves;
            }
            Weights::Tiles(TileWeights::new(layer, &shape, values(shape.fan_out, index < config.levels().len())))
        });
        Self {
            unit: VectorUnit::best(),
            layers: layers.collect(),
            width_0: shape_0.width_out,
            rows_1,
            header,
            net,
            pairs,
        }
    }
}

impl Integer<'_> {
    /// Computes level 0 for one word.
    fn level_0(header: &Fields<'_>, net: &NetInt<'_>, tokens: &[Token]) -> Vec<u32> {
        let mut values = net.level_0(header, tokens);
        values.resize(values.len().next_multiple_of(PER_CELL), 0);
        cells_of(&values).collect()
    }
}

/// Packs the values, four in each cell.
fn cells_of(values: &[i8]) -> impl Iterator<Item = u32> {
    values.as_chunks::<PER_CELL>().0.iter().map(|values| u32::from_le_bytes(values.map(|value| value as u8)))
}

impl Integer<'_> {
    /// Returns whether level 1 reads characters, which follow the values of level 0.
    fn has_halves(&self) -> bool {
        matches!(self.layers.first(), Some(Weights::Halves))
    }

    /// Computes level 1 from the halves of its sums, lane by lane.
    fn level_1(&self, input: &[Tile<u32>], out: &mut [Tile<u32>]) {
        let cells = input.len() / 2;
        let mut rows = vec![0; padded(self.rows_1)];
        for lane in 0..STREAMS {
            let pair = |position: usize| {
                let [older, newer, ..] = input[(position + 1) * cells - 1].0[lane].to_le_bytes();
                [older, newer]
            };
            let width = self.net.level_1(self.header, [pair(0), pair(1)], &mut rows);
            cells_of(&rows[..width.next_multiple_of(PER_CELL)])
                .zip(&mut *out)
                .for_each(|(value, out)| out.0[lane] = value);
        }
    }

    /// Calls `each` with the cells of level 0 of one lane.
    fn first(&self, tokens: &[Token], mut each: impl FnMut(usize, u32)) {
        match self.pairs.get(tokens) {
            Some(cells) => cells.iter().enumerate().for_each(|(at, &cell)| each(at, cell)),
            None => {
                let cells = Self::level_0(self.header, self.net, tokens);
                cells.into_iter().enumerate().for_each(|(at, cell)| each(at, cell));
            }
        }
    }
}

impl Numbers for Integer<'_> {
    type Characters = [Token];
    type Cell = Tile<u32>;
    type Word = Tile<u32>;
    type Logit = Tile<i32>;
    type Scratch<'s> = Apart<'s, Tile<u32>, Tile<i32>>;
    type Layer<'l>
        = TileLayer<'l>
    where
        Self: 'l;
    const FIRST_LEVEL: usize = 1;

    fn cells(values: usize) -> usize {
        values.div_ceil(PER_CELL)
    }

    fn embed(&self, _: &Fields<'_>, recent: &[Token], out: &mut [Tile<u32>]) -> usize {
        for (lane, recent) in of_lanes(recent).enumerate() {
            self.first(recent, |cell, value| out[cell].0[lane] = value);
            if self.has_halves()
                && let &[older, newer] = recent
            {
                out[Self::cells(self.width_0)].0[lane] = u32::from_le_bytes([older, newer, 0, 0]);
            }
        }
        self.cells_of_level_0(self.width_0)
    }

    fn layer(&self, header: &Fields<'_>, index: usize, fan_out: usize) -> TileLayer<'_> {
        let activation = header.config.activation();
        TileLayer { network: self, weights: &self.layers[index - 1], activation, fan_out }
    }
}

impl Network for Integer<'_> {
    type Value = u32;
    type LaneLogit = i32;

    fn header(&self) -> &Fields<'_> {
        self.header
    }

    fn cells_of_level_0(&self, width: usize) -> usize {
        Self::cells(width) + usize::from(self.has_halves())
    }

    fn cells_written(rows_per_value: usize, width: usize) -> usize {
        rows_per_value * padded(width) / PER_CELL
    }
}

/// Layer for tiles.
pub struct TileLayer<'l> {
    network: &'l Integer<'l>,
    weights: &'l Weights,
    activation: Activation,
    fan_out: usize,
}

impl Layer for TileLayer<'_> {
    type Cell = Tile<u32>;
    type Word = Tile<u32>;
    type Logit = Tile<i32>;
    type Input<'x> = Cells<'x, u32>;

    fn input<'x>(&self, words: &'x mut [Tile<u32>]) -> Cells<'x, u32> {
        Cells { cells: words, len: 0 }
    }

    fn input_of<'x>(&self, x: &'x mut [Tile<u32>], _: &'x mut [Tile<u32>]) -> Cells<'x, u32> {
        Cells { len: x.len(), cells: x }
    }

    fn level(&self, input: Cells<'_, u32>, out: &mut [Tile<u32>]) {
        let unit = self.network.unit;
        let weights = match self.weights {
            Weights::Tiles(weights) => weights,
            Weights::Halves => return self.network.level_1(input.cells(), out),
        };
        let rows_per_value = self.activation.rows_per_value();
        let cells = padded(self.fan_out / rows_per_value) / PER_CELL;
        let out = &mut out[..rows_per_value * cells];
        let (pairs, _) = out.as_chunks_mut::<{ LANES / PER_CELL }>();
        weights.blocks().zip(pairs).for_each(|((weights, scaling), out)| {
            let mut sums = [Tile::default(); LANES];
            unit.tile_i8(weights, scaling, input.cells(), &mut sums);
            unit.curve_tile_i8(self.activation.curve(), &sums, out);
        });
        if self.activation.is_gated() {
            let (values, gates) = out.split_at_mut(cells);
            for (Tile(values), Tile(gates)) in values.iter_mut().zip(gates) {
                unit.gate_i8(bytemuck::cast_slice_mut(values), bytemuck::cast_slice(gates));
            }
        }
    }

    fn output(&self, input: Cells<'_, u32>, logits: &mut [Tile<i32>]) {
        let Weights::Tiles(weights) = self.weights else { return };
        let (blocks, _) = logits.as_chunks_mut::<LANES>();
        let (unit, blocks) = (self.network.unit, weights.blocks().zip(blocks));
        blocks.for_each(|((weights, scaling), logits)| unit.tile_i8(weights, scaling, input.cells(), logits));
    }
}

/// Weights of a layer in blocks of eight rows. A level's gates begin with a new block, at the places of their values.
pub struct TileWeights {
    /// Words of four columns, `[blocks][columns / 4][8]`. Each position is padded to whole words.
    weights: Vec<[u32; LANES]>,
    scaling: Vec<BlockScaling>,
}

impl TileWeights {
    /// Packs a layer with `values` rows of each kind, that is values and gates.
    fn new(layer: &IntegerLayer, shape: &LinearShape<'_>, values: usize) -> Self {
        let words = shape.start(shape.positions, |width| width.div_ceil(PER_CELL));
        let IntegerLayer { bias, multiplier, weights: all, .. } = layer;
        let blocks = bias.len() / values * values.div_ceil(LANES);
        let mut packed =
            Self { weights: vec![[0; LANES]; blocks * words], scaling: vec![BlockScaling::default(); blocks] };
        let rows = bias.iter().zip(multiplier).zip(all.chunks_exact(shape.fan_in().max(1)));
        for (row, ((&bias, &multiplier), weights)) in rows.enumerate() {
            let row = row / values * padded(values) + row % values;
            let (block, lane) = (row / LANES, row % LANES);
            let scaling = &mut packed.scaling[block];
            scaling.bias[lane] = bias;
            scaling.multiplier[lane] = multiplier;
            scaling.sum[lane] = weights.iter().map(|&weight| i32::from(weight)).sum();
            let mut at = block * words;
            for position in 0..shape.positions {
                let start = shape.start(position, |width| width);
                let mut position = weights[start..start + shape.width_of(position)].to_vec();
                position.resize(position.len().next_multiple_of(PER_CELL), 0);
                for word in cells_of(&position) {
                    packed.weights[at][lane] = word;
                    at += 1;
                }
            }
        }
        packed
    }

    fn blocks(&self) -> impl Iterator<Item = (&[[u32; LANES]], &BlockScaling)> {
        let words = self.weights.len() / self.scaling.len().max(1);
        self.weights.chunks_exact(words.max(1)).zip(&self.scaling)
    }
}
