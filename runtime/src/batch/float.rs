//! The network in single precision for tiles. Its weights stay where they are: eight rows side by side suit it well.

use alloc::vec;
use alloc::vec::Vec;

use super::lanes::{Network, Pairs};
use crate::activation::Activation;
use crate::config::{Config, LevelShape, LinearShape};
use crate::kernels::host::{Tile, VectorUnit};
use crate::layers::{EmbeddingF32, LinearF32, activate_f32};
use crate::math::gate;
use crate::model::net_f32::NetF32;
use crate::rows::{LANES, padded};
use crate::sampling::LogitsMut;
use crate::vocab::Token;

/// The layers of the model.
pub struct Float<'m> {
    unit: VectorUnit,
    shapes: Vec<LevelShape>,
    activation: Activation,
    vocab_size: usize,
    embedding: EmbeddingF32<'m>,
    pairs: Pairs<f32>,
    levels: Vec<LinearF32<'m>>,
    output: LinearF32<'m>,
    config: &'m Config,
}

impl<'m> Float<'m> {
    /// Takes the layers over.
    pub fn new(config: &'m Config, net: &NetF32<'m>) -> Self {
        let linears = config.linear_shapes().enumerate();
        let mut levels: Vec<_> =
            linears.map(|(index, shape)| net.linear(index, shape.fan_in(), shape.fan_out)).collect();
        let embedding = net.embedding(config);
        let shapes: Vec<LevelShape> = config.shapes().collect();
        let (vocab_size, activation, unit) = (config.vocab_size(), config.activation(), VectorUnit::best());
        let first = |tokens: &[Token]| first(&embedding, &levels[0], &shapes[0], activation, tokens);
        let pairs = Pairs::new(vocab_size, shapes[0].fuse, shapes[0].width_out, first);
        let output = levels.pop().expect("every network has an output layer");
        Self { unit, activation, vocab_size, embedding, pairs, levels, output, config, shapes }
    }
}

/// Level 0 for one word.
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
    fn blocks<'y>(
        &self,
        linear: &LinearF32<'_>,
        x: &[Tile<f32>],
        y: &'y mut [Tile<f32>],
    ) -> &'y mut [[Tile<f32>; LANES]] {
        let (weights, bias) = linear.parts();
        let (y, _) = y.as_chunks_mut::<LANES>();
        let blocks = weights.as_chunks::<LANES>().0.chunks_exact(x.len().max(1)).zip(bias.as_chunks::<LANES>().0);
        blocks.zip(&mut *y).for_each(|((weights, bias), y)| self.unit.tile_f32(weights, bias, x, y));
        y
    }
}

impl Network for Float<'_> {
    type Cell = f32;
    type Logit = f32;

    fn shapes(&self) -> &[LevelShape] {
        &self.shapes
    }

    fn output_shape(&self) -> LinearShape<'_> {
        self.config.output_shape()
    }

    fn cells(width: usize) -> usize {
        width
    }

    fn cells_written(shape: &LevelShape) -> usize {
        padded(shape.fan_out)
    }

    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn first(&self, tokens: &[Token], mut each: impl FnMut(usize, f32)) {
        match self.pairs.get(tokens) {
            Some(cells) => cells.iter().enumerate().for_each(|(at, &cell)| each(at, cell)),
            None => {
                let cells = first(&self.embedding, &self.levels[0], &self.shapes[0], self.activation, tokens);
                cells.into_iter().enumerate().for_each(|(at, cell)| each(at, cell));
            }
        }
    }

    fn level(&self, index: usize, x: &[Tile<f32>], y: &mut [Tile<f32>]) {
        let rows = self.blocks(&self.levels[index], x, y).as_flattened_mut();
        rows.iter_mut().for_each(|Tile(values)| self.unit.activate_f32(self.activation, values));
        if self.activation.is_gated() {
            let (values, gates) = rows.split_at_mut(self.shapes[index].width_out);
            for (Tile(values), Tile(gates)) in values.iter_mut().zip(gates) {
                values.iter_mut().zip(gates).for_each(|(value, other)| *value = gate(*value, *other));
            }
        }
    }

    fn output(&self, x: &[Tile<f32>], logits: &mut [Tile<f32>]) {
        self.blocks(&self.output, x, logits);
    }

    fn logits(logits: &mut [f32]) -> LogitsMut<'_> {
        LogitsMut::F32(logits)
    }
}
