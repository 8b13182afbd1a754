//! The lecture's blocks, under the lecture's names, on `tch` tensors.
//!
//! Every block has `forward`; [`Sequential`] runs them one after the other; the output layer may read all levels. Shapes are written (B, T, C): batch, time
//! (positions), channels.

pub mod dropout;

use runtime::Activation;
use tch::nn::{Init, Path};
use tch::{Device, Kind, Tensor};

use crate::model::activation;
use crate::model::architecture::Architecture;
use crate::model::forward;
use crate::model::tensors::output_input;
use crate::train::recipe::Modules;

/// BatchNorm's `eps`, PyTorch's default.
pub const BATCH_NORM_EPS: f64 = 1e-5;
/// How fast running statistics follow, PyTorch's default.
const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// What BatchNorm takes its statistics over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Batch and positions: a channel has one mean and one variance.
    BatchAndPositions,
    /// The batch only, so that every position has its own: the lecture's first version, a bug it then mends.
    BatchOnly,
}

/// A block of the network.
pub trait Block: Send {
    /// Input to output; `train` selects batch statistics and dropout.
    fn forward(&self, x: &Tensor, train: bool) -> Tensor;
    /// Its name and parameters, for the table of shapes.
    fn describe(&self) -> String;
}

/// A row of `n_embd` values per character: (B, T) of indices -> (B, T, C).
pub struct Embedding {
    /// `[vocab_size, n_embd]`, standard normal at the start.
    pub weight: Tensor,
}

impl Embedding {
    /// A new table under `path`.
    pub fn new(path: Path<'_>, vocab_size: i64, n_embd: i64) -> Self {
        Self { weight: path.var("weight", &[vocab_size, n_embd], Init::Randn { mean: 0.0, stdev: 1.0 }) }
    }
}

impl Block for Embedding {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        Tensor::embedding(&self.weight, x, -1, false, false)
    }

    fn describe(&self) -> String {
        format!("Embedding{:?}", self.weight.size())
    }
}

/// Joins `n` consecutive positions: (B, T, C) -> (B, T / n, C n). The last one leaves (B, C n).
pub struct FlattenConsecutive {
    /// How many positions become one.
    pub n: i64,
}

impl Block for FlattenConsecutive {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        let (b, t, c) = x.size3().expect("FlattenConsecutive takes (B, T, C)");
        let x = x.view([b, t / self.n, c * self.n]);
        if t == self.n { x.squeeze_dim(1) } else { x }
    }

    fn describe(&self) -> String {
        format!("FlattenConsecutive({})", self.n)
    }
}

/// `x W^T + b` over the last dimension.
pub struct Linear {
    /// `[fan_out, fan_in]`, uniform within 1 / sqrt(fan_in) at the start, as PyTorch's `nn.Linear`.
    pub weight: Tensor,
    /// `[fan_out]`; none in front of a BatchNorm, which would take it out again.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// A new layer under `path`.
    pub fn new(path: Path<'_>, fan_in: i64, fan_out: i64, bias: bool) -> Self {
        let bound = 1.0 / (fan_in as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        Self {
            weight: path.var("weight", &[fan_out, fan_in], init),
            bias: bias.then(|| path.var("bias", &[fan_out], init)),
        }
    }

    /// A new layer under `path` with the lecture's weights: `randn(fan_in, fan_out) / fan_in**0.5 * gain`, biases zero.
    pub fn lecture(path: Path<'_>, fan_in: i64, fan_out: i64, bias: bool, gain: f64) -> Self {
        // The lecture keeps the transpose, and its values are drawn in that order; on the CPU, whatever the device.
        let drawn = Tensor::randn([fan_in, fan_out], (Kind::Float, Device::Cpu)) / (fan_in as f64).sqrt();
        let drawn = if gain == 1.0 { drawn } else { drawn * gain };
        Self {
            weight: path.var_copy("weight", &drawn.tr().contiguous()),
            bias: bias.then(|| path.zeros("bias", &[fan_out])),
        }
    }
}

impl Block for Linear {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }

    fn describe(&self) -> String {
        format!("Linear{:?}{}", self.weight.size(), if self.bias.is_some() { " + bias" } else { "" })
    }
}

/// Normalises each channel over batch *and* positions: (B, T, C) is viewed as (B T, C).
///
/// PyTorch's own module would take T for the channels of (B, T, C), and the lecture's first version kept statistics per
/// position; this view is the fix the lecture arrives at.
pub struct BatchNorm1d {
    /// gamma `[C]`, ones at the start (`tch`'s own module draws it at random).
    pub weight: Tensor,
    /// beta `[C]`, zeros at the start.
    pub bias: Tensor,
    /// `[C]`, not trained; `[T C]` for [`Statistics::BatchOnly`].
    pub running_mean: Tensor,
    /// As `running_mean`.
    pub running_var: Tensor,
    /// What they are taken over.
    pub statistics: Statistics,
    /// Whether a batch is divided by its own deviation or the one estimated from it.
    pub modules: Modules,
}

impl BatchNorm1d {
    /// A new layer under `path` for inputs (B, `positions`, `channels`).
    pub fn new(path: Path<'_>, channels: i64, positions: i64, statistics: Statistics, modules: Modules) -> Self {
        let kept = match statistics {
            Statistics::BatchAndPositions => channels,
            Statistics::BatchOnly => positions * channels,
        };
        Self {
            weight: path.var("weight", &[channels], Init::Const(1.0)),
            bias: path.var("bias", &[channels], Init::Const(0.0)),
            running_mean: path.zeros_no_train("running_mean", &[kept]),
            running_var: path.ones_no_train("running_var", &[kept]),
            statistics,
            modules,
        }
    }
}

impl Block for BatchNorm1d {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let shape = x.size();
        let channels = *shape.last().expect("BatchNorm1d takes at least (B, C)");
        let kept = self.running_mean.size()[0];
        let x = x.reshape([-1, kept]);
        // With the bug, positions are channels of their own that share gamma and beta.
        let (weight, bias) = match self.statistics {
            Statistics::BatchAndPositions => (self.weight.shallow_clone(), self.bias.shallow_clone()),
            Statistics::BatchOnly => (self.weight.repeat([kept / channels]), self.bias.repeat([kept / channels])),
        };
        // gamma / sqrt(n / (n - 1) var + eps) = gamma sqrt((n - 1) / n) / sqrt(var + (n - 1) / n eps): the estimated deviation
        // out of libtorch's operation, which knows the batch's own only. The running variance is estimated in either case.
        let (weight, eps) = match self.modules {
            Modules::Lecture if train => {
                let n = x.size()[0] as f64;
                let ratio = (n - 1.0) / n;
                (weight * ratio.sqrt(), BATCH_NORM_EPS * ratio)
            }
            _ => (weight, BATCH_NORM_EPS),
        };
        x.batch_norm(
            Some(&weight),
            Some(&bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            BATCH_NORM_MOMENTUM,
            eps,
            false,
        )
        .view(shape.as_slice())
    }

    fn describe(&self) -> String {
        format!("BatchNorm1d{:?}", self.weight.size())
    }
}

/// The activation of a level: (..., rows) -> (..., width).
pub struct Activate(pub Activation);

impl Block for Activate {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        forward::forward(self.0, x)
    }

    fn describe(&self) -> String {
        activation::block_name(self.0).to_owned()
    }
}

/// Zeroes values at random while training, and scales the rest up.
pub struct Dropout {
    /// Chance of each value.
    pub p: f64,
}

impl Block for Dropout {
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        if train && self.p > 0.0 { x * dropout::mask(self.p, &x.size(), x.device()) } else { x.shallow_clone() }
    }

    fn describe(&self) -> String {
        format!("Dropout({})", self.p)
    }
}

/// One level of the tree: `FlattenConsecutive`, `Linear` without bias, `BatchNorm1d`, activation, dropout.
pub struct LevelBlock {
    /// Joins positions.
    pub flatten: FlattenConsecutive,
    /// Mixes them.
    pub linear: Linear,
    /// Normalises the mixture; folded into `linear` after training.
    pub batch_norm: BatchNorm1d,
    /// Makes the level's values of it.
    pub activation: Activate,
    /// Regularises the level's output.
    pub dropout: Dropout,
}

impl LevelBlock {
    /// Positions joined by `flatten` -> the level's output. `watch` sees the output of the activation, before dropout.
    pub fn forward(&self, joined: &Tensor, train: bool, watch: &mut dyn FnMut(&Tensor)) -> Tensor {
        let x = self.batch_norm.forward(&self.linear.forward(joined, train), train);
        let x = self.activation.forward(&x, train);
        watch(&x);
        self.dropout.forward(&x, train)
    }

    fn blocks(&self) -> [&dyn Block; 5] {
        [&self.flatten, &self.linear, &self.batch_norm, &self.activation, &self.dropout]
    }
}

/// Embedding, levels, output: the whole network, run one block after the other.
pub struct Sequential {
    /// Indices to vectors.
    pub embedding: Embedding,
    /// The tree, from the characters up.
    pub levels: Vec<LevelBlock>,
    /// Values behind each level.
    pub widths: Vec<i64>,
    /// Whether the output layer reads all levels.
    pub skip: bool,
    /// To logits.
    pub output: Linear,
}

impl Sequential {
    /// Builds the network under `path`; parameters are named by their place (`levels.0.linear.weight`).
    pub fn new(path: &Path<'_>, architecture: &Architecture, vocab_size: usize, dropout: f64) -> Self {
        Self::with(path, architecture, vocab_size, dropout, Modules::Pytorch, Statistics::BatchAndPositions)
    }

    /// The same, with the modules' kind and BatchNorm's statistics chosen.
    pub fn with(
        path: &Path<'_>,
        architecture: &Architecture,
        vocab_size: usize,
        dropout: f64,
        modules: Modules,
        statistics: Statistics,
    ) -> Self {
        let linear = |path: Path<'_>, fan_in, fan_out, output: bool| match modules {
            Modules::Pytorch => Linear::new(path, fan_in, fan_out, output),
            // The last layer starts less confident.
            Modules::Lecture => Linear::lecture(path, fan_in, fan_out, output, if output { 0.1 } else { 1.0 }),
        };
        let mut positions: i64 = architecture.levels.iter().map(|level| i64::from(level.fuse)).product();
        let n_embd = i64::try_from(architecture.n_embd).expect("checked by Config");
        let vocab_size = i64::try_from(vocab_size).expect("at most 256");
        let embedding = Embedding::new(path / "embedding", vocab_size, n_embd);
        let mut width = n_embd;
        let mut levels = Vec::new();
        for (index, level) in architecture.levels.iter().enumerate() {
            let path = path / "levels" / index;
            let (n, width_out) = (i64::from(level.fuse), i64::from(level.width));
            let rows = i64::try_from(architecture.activation.rows_per_value()).expect("one or two");
            let fan_out = rows * width_out;
            positions /= n;
            levels.push(LevelBlock {
                flatten: FlattenConsecutive { n },
                linear: linear(&path / "linear", width * n, fan_out, false),
                batch_norm: BatchNorm1d::new(&path / "batch_norm", fan_out, positions, statistics, modules),
                activation: Activate(architecture.activation),
                dropout: Dropout { p: dropout },
            });
            width = width_out;
        }
        let widths: Vec<i64> = architecture.levels.iter().map(|level| i64::from(level.width)).collect();
        let fan_in = if architecture.skip { widths.iter().sum() } else { width };
        let output = linear(path / "output", fan_in, vocab_size, true);
        Self { embedding, levels, widths, skip: architecture.skip, output }
    }

    /// Logits from the outputs of all levels, each (B, T, C) or (B, C).
    pub fn logits(&self, levels: &[Tensor], train: bool) -> Tensor {
        self.output.forward(&output_input(levels, self.skip), train)
    }

    /// Contexts (B, T) of indices -> logits (B, vocab_size).
    pub fn forward(&self, contexts: &Tensor, train: bool) -> Tensor {
        self.forward_watched(contexts, train, &mut |_| {})
    }

    /// The same; `watch` sees the output of every level's activation, from the characters up.
    pub fn forward_watched(&self, contexts: &Tensor, train: bool, watch: &mut dyn FnMut(&Tensor)) -> Tensor {
        let mut x = self.embedding.forward(contexts, train);
        let mut levels = Vec::new();
        for level in &self.levels {
            x = level.forward(&level.flatten.forward(&x, train), train, watch);
            levels.push(x.shallow_clone());
        }
        self.logits(&levels, train)
    }

    /// A line per block: its name and parameters, and the shape of its output for `contexts`, as the lecture prints them.
    pub fn shapes(&self, contexts: &Tensor) -> String {
        let mut table = String::new();
        let mut line = |block: &dyn Block, y: &Tensor| {
            table += &format!("  {:<28} -> {:?}\n", block.describe(), y.size());
        };
        tch::no_grad(|| {
            let mut x = self.embedding.forward(contexts, false);
            line(&self.embedding, &x);
            let mut levels = Vec::new();
            for level in &self.levels {
                for block in level.blocks() {
                    x = block.forward(&x, false);
                    line(block, &x);
                }
                levels.push(x.shallow_clone());
            }
            line(&self.output, &self.logits(&levels, false));
        });
        table
    }
}
