//! The f32 network for tiles. It reads the weights in place: layout `Rows8`, with eight rows side by side, suits tiles.

use alloc::vec;
use alloc::vec::Vec;

use super::lanes::{Cells, Network, of_lanes};
use super::pairs::Pairs;
use crate::activation::Activation;
use crate::config::LevelShape;
use crate::format::header::Fields;
use crate::kernels::host::{Tile, VectorUnit};
use crate::layers::{EmbeddingF32, LinearF32, activate_f32};
use crate::math::gate;
use crate::model::net_f32::NetF32;
use crate::model::numbers::{Layer, Numbers};
use crate::model::side_by_side::Apart;
use crate::rows::{LANES, padded};
use crate::vocab::Token;

/// Layers of the model.
pub struct Float<'m> {
    header: &'m Fields<'m>,
    unit: VectorUnit,
    shape_0: LevelShape,
    embedding: EmbeddingF32<'m>,
    pairs: Pairs<f32>,
    levels: Vec<LinearF32<'m>>,
    output: LinearF32<'m>,
}

impl<'m> Float<'m> {
    /// Takes over the layers of a network.
    pub fn new(header: &'m Fields<'m>, net: &NetF32<'m>) -> Self {
        let config = &header.config;
        let linears = config.linear_shapes().enumerate();
        let mut levels: Vec<_> =
            linears.map(|(index, shape)| net.linear(index, shape.fan_in(), shape.fan_out)).collect();
        let embedding = net.embedding(config);
        let shape_0 = config.shapes().next().expect("every network has a level");
        let first = |tokens: &[Token]| first(&embedding, &levels[0], &shape_0, config.activation(), tokens);
        let pairs = Pairs::new(config.vocab_size(), shape_0.fuse, shape_0.width_out, first);
        let output = levels.pop().expect("every network has an output layer");
        Self { header, unit: VectorUnit::best(), shape_0, embedding, pairs, levels, output }
    }
}

/// Computes level 0 for one word.
fn first(
    embedding: &EmbeddingF32<'_>,
    linear: &LinearF32<'_>,
    shape: &LevelShape,
    activation: Activation,
    tokens: &[Token],
) -> Vec<f32> {
    let input: Vec<f32> = tokens.iter().flat_map(|&token| embedding.row(token)).copied().collect();
    let mut values = vec![0.0; padded(shape.fan_out)];
    linear.forward(&input, &mut values);
    values.truncate(shape.fan_out);
    activate_f32(activation, &mut values);
    values.truncate(shape.width_out);
    values
}

impl Float<'_> {
    /// Computes the rows of a layer, in blocks.
    fn blocks(&self, linear: &LinearF32<'_>, x: &[Tile<f32>], y: &mut [Tile<f32>]) {
        let (weights, bias) = linear.parts();
        let (y, _) = y.as_chunks_mut::<LANES>();
        let blocks = weights.as_chunks::<LANES>().0.chunks_exact(x.len().max(1)).zip(bias.as_chunks::<LANES>().0);
        blocks.zip(y).for_each(|((weights, bias), y)| self.unit.tile_f32(weights, bias, x, y));
    }
}

impl Float<'_> {
    /// Calls `each` with the cells of level 0 of one lane.
    fn first(&self, tokens: &[Token], mut each: impl FnMut(usize, f32)) {
        match self.pairs.get(tokens) {
            Some(cells) => cells.iter().enumerate().for_each(|(at, &cell)| each(at, cell)),
            None => {
                let cells =
                    first(&self.embedding, &self.levels[0], &self.shape_0, self.header.config.activation(), tokens);
                cells.into_iter().enumerate().for_each(|(at, cell)| each(at, cell));
            }
        }
    }
}

impl Numbers for Float<'_> {
    type Characters = [Token];
    type Cell = Tile<f32>;
    type Word = Tile<f32>;
    type Logit = Tile<f32>;
    type Scratch<'s> = Apart<'s, Tile<f32>, Tile<f32>>;
    type Layer<'l>
        = FloatLayer<'l>
    where
        Self: 'l;
    const FIRST_LEVEL: usize = 1;

    fn embed(&self, _: &Fields<'_>, recent: &[Token], out: &mut [Tile<f32>]) -> usize {
        for (lane, recent) in of_lanes(recent).enumerate() {
            self.first(recent, |cell, value| out[cell].0[lane] = value);
        }
        self.shape_0.width_out
    }

    fn layer(&self, header: &Fields<'_>, index: usize, fan_out: usize) -> FloatLayer<'_> {
        FloatLayer { network: self, index, activation: header.config.activation(), fan_out }
    }
}

impl Network for Float<'_> {
    type Value = f32;
    type LaneLogit = f32;

    fn header(&self) -> &Fields<'_> {
        self.header
    }

    fn cells_written(rows_per_value: usize, width: usize) -> usize {
        padded(rows_per_value * width)
    }
}

/// Layer for tiles.
pub struct FloatLayer<'l> {
    network: &'l Float<'l>,
    index: usize,
    activation: Activation,
    fan_out: usize,
}

impl Layer for FloatLayer<'_> {
    type Cell = Tile<f32>;
    type Word = Tile<f32>;
    type Logit = Tile<f32>;
    type Input<'x> = Cells<'x, f32>;

    fn input<'x>(&self, words: &'x mut [Tile<f32>]) -> Cells<'x, f32> {
        Cells { cells: words, len: 0 }
    }

    fn input_of<'x>(&self, x: &'x mut [Tile<f32>], _: &'x mut [Tile<f32>]) -> Cells<'x, f32> {
        Cells { len: x.len(), cells: x }
    }

    fn level(&self, input: Cells<'_, f32>, out: &mut [Tile<f32>]) {
        let Float { unit, levels, .. } = self.network;
        let out = &mut out[..padded(self.fan_out)];
        self.network.blocks(&levels[self.index], input.cells(), out);
        out.iter_mut().for_each(|Tile(values)| unit.activate_f32(self.activation, values));
        if self.activation.is_gated() {
            let (values, gates) = out.split_at_mut(self.fan_out / 2);
            for (Tile(values), Tile(gates)) in values.iter_mut().zip(gates) {
                values.iter_mut().zip(gates).for_each(|(value, other)| *value = gate(*value, *other));
            }
        }
    }

    fn output(&self, input: Cells<'_, f32>, logits: &mut [Tile<f32>]) {
        self.network.blocks(&self.network.output, input.cells(), logits);
    }
}
