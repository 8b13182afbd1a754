//! Which tensor is which layer: from names and shapes to the tree, in five passes.
//!
//! ```text
//! modules    the tensors of each module: matrices, and BatchNorms of their own
//! order      the embedding, and the layers from the characters up
//! pair       the layer that each BatchNorm follows
//! chain      how matrices are stored, and the fuse factors
//! channels   biases and BatchNorms are as long as their layers are wide
//! ```

mod chain;
mod channels;
mod modules;
mod order;
mod pair;

use runtime::limits::MAX_WIDTH;
use runtime::{Activation, Level};

use super::{ImportError, Options, StateDict};
use crate::model::activation::is_gated;
use crate::model::architecture::Architecture;
use chain::oriented;
use channels::check_channels;
use modules::modules;
use order::in_order;
use pair::pair;

/// How matrices are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[fan_out, fan_in]`: `nn.Linear`.
    FanOutFanIn,
    /// `[fan_in, fan_out]`: the lecture's own `Linear`, and `x @ W`.
    FanInFanOut,
}

/// A BatchNorm, by the names of its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Norm {
    /// The module.
    pub module: String,
    /// gamma; `None` for 1.
    pub gamma: Option<String>,
    /// beta; `None` for 0.
    pub beta: Option<String>,
    /// Running mean.
    pub mean: String,
    /// Running variance, or the deviation.
    pub spread: String,
    /// Whether that is the standard deviation.
    pub deviation: bool,
}

/// A linear layer, by the names of its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The module.
    pub module: String,
    /// The matrix.
    pub weight: String,
    /// The bias; `None` for 0.
    pub bias: Option<String>,
    /// What follows it, before the activation.
    pub batch_norm: Option<Norm>,
    /// Columns, however it is stored.
    pub fan_in: usize,
    /// Rows.
    pub fan_out: usize,
    /// Positions fused; 1 for the output layer.
    pub fuse: usize,
}

/// What a file was understood to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// How matrices are stored.
    pub orientation: Orientation,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Columns of the embedding.
    pub n_embd: usize,
    /// The embedding's name.
    pub embedding: String,
    /// The levels from the characters up.
    pub levels: Vec<Layer>,
    /// To logits.
    pub output: Layer,
    /// The function after every level.
    pub activation: Activation,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Structure {
    /// Characters of context: the product of the fuse factors.
    pub fn block_size(&self) -> usize {
        self.levels.iter().map(|level| level.fuse).product()
    }

    /// The shape of the network.
    ///
    /// # Panics
    /// Never: [`understand`] has checked the limits.
    pub fn architecture(&self) -> Architecture {
        let level = |layer: &Layer| Level {
            fuse: u8::try_from(layer.fuse).expect("at most MAX_FUSE"),
            width: u16::try_from(layer.fan_out).expect("at most MAX_WIDTH"),
        };
        let levels = self.levels.iter().map(level).collect();
        Architecture { n_embd: self.n_embd, levels, activation: self.activation, skip: false }
    }
}

/// Finds the tree in a `state_dict`.
///
/// # Errors
/// [`ImportError`] names the tensor that does not fit.
pub fn understand(state: &StateDict, options: &Options) -> Result<Structure, ImportError> {
    if state.metadata.get("format").is_some_and(|format| format == crate::model::file::FORMAT) {
        return Err(ImportError::AlreadyFolded);
    }
    if is_gated(options.activation) {
        return Err(ImportError::Gated { activation: options.activation });
    }
    let (matrices, norms) = modules(state)?;
    if matrices.len() < 3 {
        return Err(ImportError::TooFew { found: matrices.len() });
    }
    let (embedding, layers) = in_order(state, matrices, options)?;
    let mut notes = Vec::new();
    let layers = pair(&embedding, layers, norms, &mut notes)?;
    for (name, count) in &state.counters {
        if *count == Some(0) {
            notes.push(format!("{name} is 0: that BatchNorm has never seen a batch in training mode"));
        }
    }
    let (orientation, layers) = oriented(&embedding, &layers, options.orientation)?;
    check_channels(state, &layers)?;
    let [vocab_size, n_embd] = embedding.shape;
    let (output, levels) = layers.split_last().expect("at least two");
    if output.bias.is_none() && output.batch_norm.is_none() {
        notes.push(format!("{} has no bias: 0 is taken", output.weight));
    }
    let structure = Structure {
        orientation,
        vocab_size,
        n_embd,
        embedding: embedding.weight,
        levels: levels.to_vec(),
        output: output.clone(),
        activation: options.activation,
        notes,
    };
    // Widths of a matrix can be larger than a level of the runtime has numbers for.
    for level in &structure.levels {
        if level.fan_out > MAX_WIDTH {
            let found = state.tensors[&level.weight].shape.clone();
            let reason = "wider than the runtime takes, which is 4,096";
            return Err(ImportError::Shape { tensor: level.weight.clone(), found, reason });
        }
    }
    structure.architecture().config(vocab_size)?;
    Ok(structure)
}
