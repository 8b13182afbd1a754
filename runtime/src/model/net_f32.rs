//! The network in single precision.

use super::numbers::{Layer, Numbers};
use super::side_by_side::{Apart, SideBySide};
use super::state::{Buffers, StateMut};
use crate::activation::Activation;
use crate::config::{Config, StateLayout};
use crate::error::{FormatError, StateError};
use crate::format::WeightFormat;
use crate::format::header::Fields;
use crate::format::slab::Slab;
use crate::layers::{EmbeddingF32, LinearF32, activate_f32};
use crate::limits::{MAX_LAYERS, MAX_LEVELS};
use crate::vocab::Token;

/// Places of the weights. Their shapes follow from the dimensions, which every method receives and which must always be
/// the same.
#[derive(Clone, Debug)]
pub(crate) struct NetF32<'a> {
    /// All weights: embedding, levels, output layer.
    slab: &'a [u32],
    /// First word of each layer in the slab.
    layers: [u32; MAX_LAYERS],
}

impl<'a> NetF32<'a> {
    /// Network without weights.
    #[cfg(not(feature = "int8"))]
    pub const NONE: Self = Self::built_in(&[], [0; MAX_LAYERS]);

    /// Returns a network whose weights were checked elsewhere.
    pub const fn built_in(slab: &'a [u32], layers: [u32; MAX_LAYERS]) -> Self {
        Self { slab, layers }
    }

    pub fn new(config: &Config, formats: &[WeightFormat], slab: &mut Slab<'a>) -> Option<Self> {
        if formats.iter().any(|&format| format != WeightFormat::F32) {
            return slab.refuse(FormatError::UnsupportedFormat);
        }
        let mut net = Self { slab: slab.words()?, layers: [0; MAX_LAYERS] };
        slab.take_f32(config.vocab_size() * config.n_embd())?;
        for (shape, layer) in config.linear_shapes().zip(&mut net.layers) {
            *layer = (slab.taken() / size_of::<u32>()) as u32;
            LinearF32::take(slab, shape.fan_in(), shape.fan_out)?;
        }
        Some(net)
    }

    /// Returns the first word of each layer in the slab.
    #[cfg(feature = "alloc")]
    pub fn starts(&self) -> [u32; MAX_LAYERS] {
        self.layers
    }

    /// Returns the embedding.
    pub fn embedding(&self, config: &Config) -> EmbeddingF32<'a> {
        let weights = self.slab.get(..config.vocab_size() * config.n_embd()).unwrap_or(&[]);
        EmbeddingF32::new(bytemuck::try_cast_slice(weights).unwrap_or(&[]), config.n_embd())
    }

    /// Returns the weights from layer `index` on.
    #[inline]
    fn values_from(&self, index: usize) -> &'a [f32] {
        let start = self.layers.get(index).map_or(0, |&start| start as usize);
        // Same size and alignment: the cast always succeeds.
        bytemuck::try_cast_slice(self.slab.get(start..).unwrap_or(&[])).unwrap_or(&[])
    }

    /// Returns layer `index`, with this shape.
    #[cfg(feature = "std")]
    pub fn linear(&self, index: usize, fan_in: usize, fan_out: usize) -> LinearF32<'a> {
        LinearF32::new(self.values_from(index), fan_in, fan_out)
    }
}

impl Numbers for NetF32<'_> {
    type Characters = Token;
    type Cell = f32;
    type Word = f32;
    type Logit = f32;
    type Scratch<'s> = Apart<'s, f32, f32>;
    type Layer<'l>
        = LayerF32<'l>
    where
        Self: 'l;

    fn embed(&self, header: &Fields<'_>, &token: &Token, out: &mut [f32]) -> usize {
        Self::copy(self.embedding(&header.config).row(token), out);
        header.config.n_embd()
    }

    #[inline]
    fn layer(&self, header: &Fields<'_>, index: usize, fan_out: usize) -> LayerF32<'_> {
        LayerF32 { values: self.values_from(index), activation: header.config.activation(), fan_out }
    }
}

/// Linear layer in single precision, with the activation of its level.
pub(crate) struct LayerF32<'l> {
    /// The layer's weights and the rest of the slab.
    values: &'l [f32],
    activation: Activation,
    fan_out: usize,
}

impl Layer for LayerF32<'_> {
    type Cell = f32;
    type Word = f32;
    type Logit = f32;
    type Input<'x> = SideBySide<'x, f32>;

    #[inline]
    fn input<'x>(&self, words: &'x mut [f32]) -> SideBySide<'x, f32> {
        SideBySide { cells: words, len: 0 }
    }

    #[inline]
    fn input_of<'x>(&self, x: &'x mut [f32], _: &'x mut [f32]) -> SideBySide<'x, f32> {
        SideBySide { len: x.len(), cells: x }
    }

    #[inline]
    fn level(&self, input: SideBySide<'_, f32>, out: &mut [f32]) {
        self.output(input, out);
        activate_f32(self.activation, out.get_mut(..self.fan_out).unwrap_or(&mut []));
    }

    #[inline]
    fn output(&self, input: SideBySide<'_, f32>, logits: &mut [f32]) {
        let x = input.cells();
        LinearF32::new(self.values, x.len(), self.fan_out).forward(x, logits);
    }
}

impl<'s> Buffers<'s, NetF32<'_>> {
    /// Splits a state into buffers.
    pub fn new(layout: StateLayout, state: StateMut<'s>) -> Result<Self, StateError> {
        let too_small = StateError::TooSmall { need: layout.words_f32(), have: state.words.len() };
        // Same size and alignment: the cast always succeeds.
        let words: &mut [f32] = bytemuck::try_cast_slice_mut(state.words).map_err(|_| too_small)?;
        let (logits, words) = words.split_at_mut_checked(layout.logits).ok_or(too_small)?;
        let (input, words) = words.split_at_mut_checked(layout.input).ok_or(too_small)?;
        let (rings, words) = words.split_at_mut_checked(layout.rings).ok_or(too_small)?;
        let (hidden, _) = words.split_at_mut_checked(layout.hidden).ok_or(too_small)?;
        let scratch = Apart { input, logits };
        Ok(Self { rings, oldest: state.oldest, newest_at: [0; MAX_LEVELS], scratch, hidden })
    }
}
