//! The integer network for tiles.

use alloc::vec;
use alloc::vec::Vec;

use super::lanes::{Network, Pairs};
use crate::config::{LevelShape, LinearShape};
use crate::format::header::Fields;
use crate::kernels::host::{BlockScaling, Tile, VectorUnit};
use crate::layers::Unpacked;
use crate::model::net_int::NetInt;
use crate::rows::{LANES, padded};
use crate::sampling::LogitsMut;
use crate::vocab::Token;

/// Activations in a cell.
const PER_CELL: usize = 4;

/// Weights in the order of [`VectorUnit::tile_i8`], whatever their order in the blob.
pub struct Integer<'m> {
    unit: VectorUnit,
    header: &'m Fields<'m>,
    net: &'m NetInt<'m>,
    shapes: Vec<LevelShape>,
    pairs: Pairs<u32>,
    /// From level 1 on.
    levels: Vec<Packed>,
    output: Packed,
}

impl<'m> Integer<'m> {
    /// Packs the weights.
    pub fn new(header: &'m Fields<'m>, net: &'m NetInt<'m>) -> Self {
        let config = &header.config;
        let (_, layers) = net.unpack(header);
        let shapes: Vec<LevelShape> = config.shapes().collect();
        let first = |tokens: &[Token]| Self::level_0(header, net, tokens);
        let pairs = Pairs::new(config.vocab_size(), shapes[0].fuse, Self::cells(shapes[0].width_out), first);
        let pack = |(layer, shape): (&Unpacked, &LevelShape)| Packed::new(layer, &shape.linear(), shape.width_out);
        let output = config.output_shape();
        let output = Packed::new(&layers[shapes.len()], &output, output.fan_out);
        Self {
            unit: VectorUnit::best(),
            levels: layers.iter().zip(&shapes).skip(1).map(pack).collect(),
            output,
            header,
            net,
            shapes,
            pairs,
        }
    }
}

impl Integer<'_> {
    /// Level 0, which is computed for each word by itself.
    fn level_0(header: &Fields<'_>, net: &NetInt<'_>, tokens: &[Token]) -> Vec<u32> {
        let mut values = net.level_0(header, tokens);
        values.resize(values.len().next_multiple_of(PER_CELL), 0);
        cells_of(&values).collect()
    }
}

/// Four values in each.
fn cells_of(values: &[i8]) -> impl Iterator<Item = u32> {
    values.as_chunks::<PER_CELL>().0.iter().map(|values| u32::from_le_bytes(values.map(|value| value as u8)))
}

impl Network for Integer<'_> {
    type Cell = u32;
    type Logit = i32;

    fn shapes(&self) -> &[LevelShape] {
        &self.shapes
    }

    fn output_shape(&self) -> LinearShape<'_> {
        self.header.config.output_shape()
    }

    fn cells(width: usize) -> usize {
        width.div_ceil(PER_CELL)
    }

    fn cells_written(shape: &LevelShape) -> usize {
        shape.fan_out / shape.width_out * padded(shape.width_out) / PER_CELL
    }

    fn vocab_size(&self) -> usize {
        self.header.config.vocab_size()
    }

    fn first(&self, tokens: &[Token], mut each: impl FnMut(usize, u32)) {
        match self.pairs.get(tokens) {
            Some(cells) => cells.iter().enumerate().for_each(|(at, &cell)| each(at, cell)),
            None => {
                let cells = Self::level_0(self.header, self.net, tokens);
                cells.into_iter().enumerate().for_each(|(at, cell)| each(at, cell));
            }
        }
    }

    fn level(&self, index: usize, x: &[Tile<u32>], y: &mut [Tile<u32>]) {
        let curve = self.header.config.activation().curve();
        let (pairs, _) = y.as_chunks_mut::<{ LANES / PER_CELL }>();
        self.levels[index - 1].blocks().zip(pairs).for_each(|((weights, scaling), y)| {
            let mut sums = [Tile::default(); LANES];
            self.unit.tile_i8(weights, scaling, x, &mut sums);
            self.unit.curve_tile_i8(curve, &sums, y);
        });
        if self.header.config.activation().is_gated() {
            let (values, gates) = y.split_at_mut(padded(self.shapes[index].width_out) / PER_CELL);
            for (Tile(values), Tile(gates)) in values.iter_mut().zip(gates) {
                self.unit.gate_i8(bytemuck::cast_slice_mut(values), bytemuck::cast_slice(gates));
            }
        }
    }

    fn output(&self, x: &[Tile<u32>], logits: &mut [Tile<i32>]) {
        let (blocks, _) = logits.as_chunks_mut::<LANES>();
        let blocks = self.output.blocks().zip(blocks);
        blocks.for_each(|((weights, scaling), logits)| self.unit.tile_i8(weights, scaling, x, logits));
    }

    fn logits(logits: &mut [i32]) -> LogitsMut<'_> {
        LogitsMut::Fixed(logits)
    }
}

/// A layer in blocks of eight rows. The gates of a level begin with a block, so that each has the place of its value.
struct Packed {
    /// `[blocks][columns / 4][8]` words of four columns. Positions are padded to whole words.
    weights: Vec<[u32; LANES]>,
    scaling: Vec<BlockScaling>,
}

impl Packed {
    /// `values`: rows of a kind, values or gates.
    fn new(layer: &Unpacked, shape: &LinearShape<'_>, values: usize) -> Self {
        let words = shape.start(shape.positions, |width| width.div_ceil(PER_CELL));
        let Unpacked { bias, multiplier, weights: all } = layer;
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
