//! Training on with the rounding of the integer path in the forward pass, so that the weights learn to live with it.
//!
//! Quantization-aware training with straight-through gradients (Jacob et al., 2018) and learned steps (Esser et al.,
//! "Learned Step Size Quantization", 2020). The forward pass mirrors `runtime`'s definition: the table of level 0 and the output
//! layer in 8 bits per row, the levels between in `bits` bits with a learned step per row, pre-activations in the units
//! of the activation, activations in 1/127. The teacher is the network itself before any rounding: its probabilities
//! are the target (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015), which loses less than training
//! on the words alone would.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{Array1, Array2};
use runtime::quant::{ACTIVATION_MAX, MULTIPLIER_FRACTION_BITS};
use runtime::{Activation, Vocab};
use tch::nn::{OptimizerConfig, Path, VarStore};
use tch::{Device, Kind, Tensor};

use crate::data::{Examples, Words};
use crate::model::activation::pre_activation_units;
use crate::model::arrays::{from_matrix, from_vector, to_matrix, to_vector};
use crate::model::file::{FoldedLinear, FoldedModel};
use crate::model::forward::forward_units;
use crate::model::gptq::{self, calibration_contexts, quantize_int4};
use crate::model::loss::mean_nll;
use crate::model::quantize::{INT8_MAX, QuantizedLayer, QuantizedModel, table_pays};
use crate::model::tensors::{self, output_input};
use crate::model::torch_model::TorchModel;
use crate::train::draws::Batches;
use crate::train::error::TrainError;
use crate::train::recipe::{Sampling, Schedule};

/// How to train on.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bits of the inner levels' weights: 4, or for experiments 3 or 2 (which is ternary). Stored in 4 all the same.
    pub bits: u32,
    /// Highest learning rate.
    pub lr: f64,
    /// Times through the training split.
    pub epochs: f64,
    /// Examples per step.
    pub batch_size: usize,
    /// Seed of the batches.
    pub seed: u64,
    /// Threads of libtorch.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { bits: 4, lr: 2e-4, epochs: 1.0, batch_size: 512, seed: 42, threads: 1 }
    }
}

/// What happens while training, for those who show it.
pub enum Event {
    /// Before the first step: steps to come, and the dev loss of the network with all roundings but nothing learned.
    Start {
        /// Steps to come.
        steps: usize,
        /// Nats per character, as the fake quantization has it.
        dev_nll: f64,
    },
    /// Some steps are done.
    Step {
        /// Steps done.
        step: usize,
        /// Divergence from the teacher since the last event, nats per character.
        loss: f64,
    },
    /// The dev loss was measured.
    Dev {
        /// Steps done.
        step: usize,
        /// Nats per character, as the fake quantization has it.
        nll: f64,
    },
}

/// Trains a folded model on; the result has four-bit steps in its inner levels, which `export --precision int4` keeps.
///
/// `stop` ends the training early. The result is what was best on the dev split.
///
/// # Errors
/// [`TrainError`] says what to change.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn finetune(
    model: &FoldedModel,
    words: &Words,
    options: &Options,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event),
) -> Result<FoldedModel, TrainError> {
    let vocab = Vocab::new(&model.vocab)?;
    let config = model.architecture.config(vocab.len())?;
    if config.levels().len() < 2 {
        let message = "the network has one level, which stays in 8 bits: there is nothing to train for 4".to_owned();
        return Err(TrainError::Option(message));
    }
    let split = words.split()?;
    let train = Examples::new(&words.name, &split.train, vocab, config.block_size())?;
    let dev = Examples::new(&words.name, &split.dev, vocab, config.block_size())?;
    let steps = (options.epochs * train.len() as f64 / options.batch_size as f64).ceil() as usize;
    let sane = options.lr > 0.0 && options.lr.is_finite() && (1..=100_000_000).contains(&steps);
    if !sane || options.batch_size == 0 || options.threads == 0 || !(2..=4).contains(&options.bits) {
        let message = "lr, epochs, batch size and threads must be above 0 and within reason, bits 2 to 4".to_owned();
        return Err(TrainError::Option(message));
    }

    tch::set_num_threads(i32::try_from(options.threads).unwrap_or(i32::MAX));
    tch::manual_seed(i64::from_le_bytes(options.seed.to_le_bytes()));
    let teacher = TorchModel::new(model, Device::Cpu);
    let store = VarStore::new(Device::Cpu);
    let (contexts, _) = tensors::of_examples(&train, Device::Cpu);
    // From where error-compensated rounding ends.
    let weight_max = f64::from((1_u32 << (options.bits - 1)) - 1);
    let rounding = gptq::Options { weight_max, ..gptq::Options::default() };
    let rounded = quantize_int4(model, &calibration_contexts(&train), rounding);
    let student = FakeQuantized::new(&store.root(), model, &rounded, weight_max);
    let (dev_contexts, dev_targets) = tensors::of_examples(&dev, Device::Cpu);
    let measure = || mean_nll(|x| student.forward(x), &dev_contexts, &dev_targets);
    let dev_nll = measure();
    observe(Event::Start { steps, dev_nll });
    // What is best on dev is kept; error-compensated rounding alone may be hard to beat.
    let mut best = (dev_nll, student.fold(model, options, 0));

    let adamw = tch::nn::AdamW { beta1: 0.9, beta2: 0.98, wd: 0.0, eps: 1e-8, amsgrad: false };
    let mut optimizer = adamw.build(&store, options.lr)?;
    let examples = i64::try_from(train.len()).expect("they fit the memory");
    let batch_size = i64::try_from(options.batch_size).expect("a batch fits the memory").min(examples);
    let mut batches = Batches::new(examples, batch_size, Sampling::Shuffled, Device::Cpu);
    let report_every = (steps / 100).clamp(1, 50);
    let evaluate_every = steps.div_ceil(10);
    let (mut running, mut count) = (0.0, 0);
    for step in 1..=steps {
        optimizer.set_lr(options.lr * Schedule::Cosine { warmup_steps: 100 }.share(step, steps));
        let x = contexts.index_select(0, &batches.next_batch());
        let wanted = tch::no_grad(|| teacher.forward(&x).log_softmax(-1, Kind::Float));
        let given = student.forward(&x).log_softmax(-1, Kind::Float);
        let divergence = (wanted.exp() * (wanted - given)).sum(Kind::Float) / batch_size as f64;
        optimizer.backward_step(&divergence);
        running += divergence.double_value(&[]);
        count += 1;
        let last = step == steps || stop.load(Ordering::Relaxed);
        if step % report_every == 0 || last {
            let loss = running / f64::from(count);
            if !loss.is_finite() {
                return Err(TrainError::Diverged { step, loss, lr: options.lr });
            }
            observe(Event::Step { step, loss });
            (running, count) = (0.0, 0);
        }
        if step % evaluate_every == 0 || last {
            let nll = measure();
            observe(Event::Dev { step, nll });
            if nll < best.0 {
                best = (nll, student.fold(model, options, step));
            }
        }
        if last && step < steps {
            break;
        }
    }
    Ok(best.1)
}

/// An inner layer in real numbers.
struct Dequantized {
    weights: Vec<f32>,
    bias: Vec<f32>,
    steps: Vec<f32>,
}

fn dequantize(layer: &QuantizedLayer, activation: Activation) -> Dequantized {
    let units = pre_activation_units(activation) * f64::from(1_u32 << MULTIPLIER_FRACTION_BITS);
    let activation = f64::from(ACTIVATION_MAX);
    let fan_in = layer.weights.len() / layer.bias.len();
    let steps: Vec<f64> =
        layer.multiplier.iter().map(|&multiplier| f64::from(multiplier.max(1)) / units * activation).collect();
    let rows = layer.weights.chunks(fan_in).zip(&steps);
    let weights = rows.flat_map(|(row, &step)| row.iter().map(move |&weight| (f64::from(weight) * step) as f32));
    let bias = layer.bias.iter().zip(&steps).map(|(&bias, &step)| (f64::from(bias) * step / activation) as f32);
    Dequantized {
        weights: weights.collect(),
        bias: bias.collect(),
        steps: steps.iter().map(|&step| step as f32).collect(),
    }
}

/// The network with every rounding of the integer path in its forward pass.
struct FakeQuantized {
    embedding: Tensor,
    levels: Vec<FakeLevel>,
    activation: Activation,
    skip: bool,
    output: (Tensor, Tensor),
    /// Largest magnitude of an inner weight.
    weight_max: f64,
    table: bool,
}

struct FakeLevel {
    fuse: i64,
    weight: Tensor,
    bias: Tensor,
    /// Logarithm of the step of each row, so that it stays positive; none for level 0.
    log_step: Option<Tensor>,
}

impl FakeQuantized {
    fn new(path: &Path<'_>, model: &FoldedModel, rounded: &QuantizedModel, weight_max: f64) -> Self {
        let matrix = |name: &str, array: &Array2<f32>| path.var_copy(name, &from_matrix(array));
        let vector = |name: &str, array: &Array1<f32>| path.var_copy(name, &from_vector(array));
        let levels = model.architecture.levels.iter().zip(&model.levels).enumerate();
        let levels = levels.map(|(index, (level, linear))| {
            let name = |what: &str| format!("level{index}_{what}");
            let (fuse, fan_in) = (i64::from(level.fuse), linear.weight.ncols());
            if index == 0 {
                let (weight, bias) = (matrix(&name("weight"), &linear.weight), vector(&name("bias"), &linear.bias));
                return FakeLevel { fuse, weight, bias, log_step: None };
            }
            let real = dequantize(&rounded.layers[index], model.architecture.activation);
            let weight = Array2::from_shape_vec((real.steps.len(), fan_in), real.weights).expect("its shape");
            FakeLevel {
                fuse,
                weight: matrix(&name("weight"), &weight),
                bias: vector(&name("bias"), &Array1::from(real.bias)),
                log_step: Some(vector(&name("log_step"), &real.steps.iter().map(|step| step.ln()).collect())),
            }
        });
        let (vocab_size, n_embd) = model.embedding.dim();
        let first = model.architecture.levels[0];
        Self {
            levels: levels.collect(),
            activation: model.architecture.activation,
            skip: model.architecture.skip,
            embedding: matrix("embedding", &model.embedding),
            output: (matrix("output_weight", &model.output.weight), vector("output_bias", &model.output.bias)),
            weight_max,
            table: table_pays(first.fuse.into(), model.levels[0].bias.len(), vocab_size, n_embd),
        }
    }

    /// Contexts `[B, block_size]` -> logits `[B, vocab_size]`.
    fn forward(&self, contexts: &Tensor) -> Tensor {
        let activation = f64::from(ACTIVATION_MAX);
        let units = pre_activation_units(self.activation);
        let activate = |pre_activation: Tensor| {
            forward_units(self.activation, &round(&(pre_activation * units)), round) / activation
        };
        let (b, t) = contexts.size2().expect("(B, T)");
        let mut x = contexts.shallow_clone();
        let mut levels = Vec::new();
        for level in &self.levels {
            let pre_activation = match &level.log_step {
                None if self.table => {
                    let (vocab_size, n_embd) = self.embedding.size2().expect("a matrix");
                    let rows = level.weight.size()[0];
                    // (fan_out, fuse, n_embd) x (vocab_size, n_embd) -> (fan_out, fuse * vocab_size), as `quantize_table`.
                    let table = level.weight.view([rows * level.fuse, n_embd]).matmul(&self.embedding.tr());
                    let table = to_8_bits(&table.view([rows, level.fuse * vocab_size]));
                    let table = table.tr().view([level.fuse, vocab_size, rows]);
                    let tokens = contexts.view([b, t / level.fuse, level.fuse]);
                    let part = |position: i64| {
                        Tensor::embedding(&table.get(position), &tokens.select(2, position), -1, false, false)
                    };
                    (1..level.fuse).fold(part(0), |sum, position| sum + part(position)) + &level.bias
                }
                None => {
                    let largest = self.embedding.abs().max().detach();
                    let table = to_steps(&self.embedding, &(largest / INT8_MAX), INT8_MAX);
                    let x = Tensor::embedding(&table, contexts, -1, false, false);
                    flatten(&x, level.fuse).linear(&to_8_bits(&level.weight), Some(&level.bias))
                }
                Some(log_step) => {
                    let weight = to_steps(&level.weight, &log_step.exp().unsqueeze(1), self.weight_max);
                    flatten(&x, level.fuse).linear(&weight, Some(&level.bias))
                }
            };
            x = activate(pre_activation);
            levels.push(x.shallow_clone());
        }
        output_input(&levels, self.skip).linear(&to_8_bits(&self.output.0), Some(&self.output.1))
    }

    /// The model with the weights learned; those of the inner levels lie on their steps.
    fn fold(&self, model: &FoldedModel, options: &Options, steps: usize) -> FoldedModel {
        let mut model = model.clone();
        model.embedding = to_matrix(&self.embedding);
        for (linear, level) in model.levels.iter_mut().zip(&self.levels) {
            *linear = FoldedLinear { weight: to_matrix(&level.weight), bias: to_vector(&level.bias), int4_step: None };
            if let Some(log_step) = &level.log_step {
                let step = log_step.exp();
                linear.weight = to_matrix(&to_steps(&level.weight, &step.unsqueeze(1), self.weight_max));
                linear.int4_step = Some(to_vector(&step));
            }
        }
        model.output =
            FoldedLinear { weight: to_matrix(&self.output.0), bias: to_vector(&self.output.1), int4_step: None };
        let Options { bits, lr, epochs, batch_size, seed, .. } = options;
        let record = serde_json::json!({
            "bits": bits, "lr": lr, "epochs": epochs, "batch_size": batch_size, "seed": seed, "step": steps,
        });
        model.origin.finetune = record.to_string();
        (model.origin.train_nll, model.origin.dev_nll, model.origin.test_nll) = (None, None, None);
        model
    }
}

fn flatten(x: &Tensor, fuse: i64) -> Tensor {
    let (b, t, c) = x.size3().expect("(B, T, C)");
    x.view([b, t / fuse, c * fuse])
}

/// Rounds, and lets gradients through as if it had not.
fn round(x: &Tensor) -> Tensor {
    x + (x.round() - x).detach()
}

/// The nearest multiple of `step` of at most `max` steps; gradients reach weights and steps.
fn to_steps(weight: &Tensor, step: &Tensor, max: f64) -> Tensor {
    round(&(weight / step).clamp(-max, max)) * step
}

/// Each row in 8 bits, its largest weight 127.
fn to_8_bits(weight: &Tensor) -> Tensor {
    let largest = weight.abs().amax([1], true).clamp_min(1e-9).detach();
    to_steps(weight, &(largest / INT8_MAX), INT8_MAX)
}
