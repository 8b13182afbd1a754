//! The lecture's blocks, under the lecture's names, on `tch` tensors.
//!
//! Every block has `forward`; [`Sequential`] runs the blocks one after the other. The output layer may read all levels.
//! Shapes are (B, T, C): batch, time (position in the context), channels.

pub mod dropout;
pub mod look_ahead;

use runtime::Activation;
use tch::nn::{Init, Path};
use tch::{Device, Kind, Tensor};

use crate::model::activation;
use crate::model::architecture::Architecture;
use crate::model::forward;
use crate::model::tensors::output_input;
use crate::train::recipe::Modules;

/// `eps` of BatchNorm, PyTorch's default.
pub const BATCH_NORM_EPS: f64 = 1e-5;
/// Share of a batch in the running statistics, PyTorch's default.
const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// Dimensions over which BatchNorm takes its statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Batch and positions: each channel has one mean and one variance.
    BatchAndPositions,
    /// Batch only: each position has its own statistics. This is the lecture's first version, a bug that it then fixes.
    BatchOnly,
}

/// Block of the network.
pub trait Block: Send {
    /// Computes the output for an input; `train` selects batch statistics and dropout.
    fn forward(&self, x: &Tensor, train: bool) -> Tensor;
    /// Returns the block's name and parameters, for the table of shapes.
    fn describe(&self) -> String;
}

/// Table with a row of `n_embd` values per character: (B, T) of indices -> (B, T, C).
pub struct Embedding {
    /// Weights, `[vocab_size, n_embd]`, standard normal at the start.
    pub weight: Tensor,
}

impl Embedding {
    /// Makes a new table under `path`.
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

/// Joins `n` consecutive positions: (B, T, C) -> (B, T / n, n C), or (B, n C) if only one position is left.
pub struct FlattenConsecutive {
    /// Number of positions that become one.
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

/// Linear layer: `x W^T + b` over the last dimension.
pub struct Linear {
    /// Weights, `[fan_out, fan_in]`. At the start uniform within 1 / sqrt(fan_in), as in PyTorch's `nn.Linear`.
    pub weight: Tensor,
    /// Bias, `[fan_out]`. `None` before a BatchNorm, which would cancel it.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Makes a new layer under `path`.
    pub fn new(path: Path<'_>, fan_in: i64, fan_out: i64, bias: bool) -> Self {
        let bound = 1.0 / (fan_in as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        Self {
            weight: path.var("weight", &[fan_out, fan_in], init),
            bias: bias.then(|| path.var("bias", &[fan_out], init)),
        }
    }

    /// Makes a new layer under `path` with the lecture's weights: `randn(fan_in, fan_out) / fan_in**0.5 * gain`, biases
    /// zero.
    pub fn lecture(path: Path<'_>, fan_in: i64, fan_out: i64, bias: bool, gain: f64) -> Self {
        // The lecture stores the transpose, so the values are drawn in that order. The CPU draws them for every device.
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
/// PyTorch's module would read (B, T, C) with T as the channels, and the lecture's first version had statistics per
/// position. This view is the lecture's fix.
pub struct BatchNorm1d {
    /// Gamma, `[C]`, ones at the start (`tch`'s module draws it at random).
    pub weight: Tensor,
    /// Beta, `[C]`, zeros at the start.
    pub bias: Tensor,
    /// Running mean, `[C]`, or `[T C]` for [`Statistics::BatchOnly`]; not trained.
    pub running_mean: Tensor,
    /// Running variance, of the same shape; not trained.
    pub running_var: Tensor,
    /// Dimensions over which the statistics are taken.
    pub statistics: Statistics,
    /// Kind of deviation by which a batch is divided: PyTorch's or the lecture's.
    pub modules: Modules,
}

impl BatchNorm1d {
    /// Makes a new layer under `path` for inputs (B, `positions`, `channels`).
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
        // With the bug, each position has channels of its own, which share gamma and beta.
        let (weight, bias) = match self.statistics {
            Statistics::BatchAndPositions => (self.weight.shallow_clone(), self.bias.shallow_clone()),
            Statistics::BatchOnly => (self.weight.repeat([kept / channels]), self.bias.repeat([kept / channels])),
        };
        // The lecture divides by the deviation with n - 1, libtorch's operation by the one with n. This computes the
        // former with the latter: gamma / sqrt(n / (n - 1) var + eps) = gamma sqrt((n - 1) / n) / sqrt(var + (n - 1) /
        // n eps). The running variance is with n - 1 in either case.
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

/// Activation of a level: (..., rows) -> (..., width).
pub struct Activate(pub Activation);

impl Block for Activate {
    fn forward(&self, x: &Tensor, _train: bool) -> Tensor {
        forward::forward(self.0, x)
    }

    fn describe(&self) -> String {
        activation::block_name(self.0).to_owned()
    }
}

/// Zeroes values at random during training, and scales the others up.
pub struct Dropout {
    /// Probability of zeroing a value.
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
    /// Mixes the joined values.
    pub linear: Linear,
    /// Normalises the mixture; folded into `linear` after training.
    pub batch_norm: BatchNorm1d,
    /// Turns rows into the level's values.
    pub activation: Activate,
    /// Regularises the level's output.
    pub dropout: Dropout,
}

impl LevelBlock {
    /// Computes the level's output from the output of `flatten`. Calls `watch` with the output of the activation,
    /// before dropout.
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

/// The whole network: embedding, levels and output layer, one after the other.
pub struct Sequential {
    /// Turns indices of characters into vectors.
    pub embedding: Embedding,
    /// Levels of the tree, from the characters up.
    pub levels: Vec<LevelBlock>,
    /// Values per node of each level.
    pub widths: Vec<i64>,
    /// `true` if the output layer reads all levels.
    pub skip: bool,
    /// Computes the logits.
    pub output: Linear,
}

impl Sequential {
    /// Builds the network under `path`, with PyTorch's modules. A parameter's name is its place
    /// (`levels.0.linear.weight`).
    pub fn new(path: &Path<'_>, architecture: &Architecture, vocab_size: usize, dropout: f64) -> Self {
        Self::with(path, architecture, vocab_size, dropout, Modules::Pytorch, Statistics::BatchAndPositions)
    }

    /// Builds the network as [`Self::new`] does, with chosen modules and BatchNorm statistics.
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
            // Small weights of the last layer make the first predictions less confident.
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

    /// Returns the input of the output layer from the outputs of all levels, each (B, T, C) or (B, C).
    pub fn output_input(&self, levels: &[Tensor]) -> Tensor {
        output_input(levels, self.skip)
    }

    /// Computes the logits (B, vocab_size) of contexts (B, T) of indices.
    pub fn forward(&self, contexts: &Tensor, train: bool) -> Tensor {
        self.output.forward(&self.forward_levels(contexts, train, &mut |_| {}), train)
    }

    /// Computes the input of the output layer for contexts (B, T) of indices. Calls `watch` with the output of each
    /// level's activation, from the characters up.
    pub fn forward_levels(&self, contexts: &Tensor, train: bool, watch: &mut dyn FnMut(&Tensor)) -> Tensor {
        let mut x = self.embedding.forward(contexts, train);
        let mut levels = Vec::new();
        for level in &self.levels {
            x = level.forward(&level.flatten.forward(&x, train), train, watch);
            levels.push(x.shallow_clone());
        }
        self.output_input(&levels)
    }

    /// Returns one line per block, as the lecture prints them: name and parameters, and the shape of its output for
    /// `contexts`.
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
            line(&self.output, &self.output.forward(&self.output_input(&levels), false));
        });
        table
    }
}
