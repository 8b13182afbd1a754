//! The training loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runtime::{FormatError, Vocab};
use tch::nn::{OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor};

use crate::architecture::Architecture;
use crate::arrays::{to_matrix, to_vector};
use crate::data::{DataError, Examples, Words, hex};
use crate::eval::tensors;
use crate::file::{FoldedLinear, FoldedModel, Origin};
use crate::fold::{BatchNormStats, fold_batch_norm};
use crate::nn::{BATCH_NORM_EPS, BatchNorm1d, Linear, Sequential, mean_nll};
use crate::preset::Recipe;

/// What to train, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the preset, for the record.
    pub preset: String,
    /// The network.
    pub architecture: Architecture,
    /// The recipe.
    pub recipe: Recipe,
    /// Steps, instead of the recipe's epochs.
    pub steps: Option<usize>,
    /// Seed of weights, batches and dropout. Not of the split, which is always the lecture's.
    pub seed: u64,
    /// Threads of libtorch.
    pub threads: usize,
    /// Where to compute.
    pub device: Device,
    /// Times the dev loss is measured, the last step included.
    pub evaluations: usize,
}

/// Why a training ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The words cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network is outside what the runtime supports.
    #[error("the network cannot be built: {0}")]
    Dimensions(#[from] FormatError),
    /// A setting makes no sense.
    #[error("{0}")]
    Option(String),
    /// The loss is infinite or not a number.
    #[error("the loss is {loss} at step {step}: the training has diverged, try a lower --lr than {lr}")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
        /// The learning rate of the recipe.
        lr: f64,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

/// What happens while training, for those who show it.
pub enum Event<'a> {
    /// Before the first step.
    Start {
        /// A line per block with the shape of its output.
        shapes: &'a str,
        /// Parameters, BatchNorm's included.
        parameters: usize,
        /// Steps to come.
        steps: usize,
    },
    /// Some steps are done.
    Step {
        /// Steps done.
        step: usize,
        /// Mean training loss since the last event.
        loss: f64,
    },
    /// The dev loss was measured.
    Dev {
        /// Steps done.
        step: usize,
        /// In eval mode, nats per character.
        nll: f64,
        /// The model so far, folded.
        model: &'a FoldedModel,
    },
}

/// A trained model.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The folded network of the step with the lowest dev loss, its losses in its `origin`.
    pub model: FoldedModel,
    /// The step it comes from.
    pub best_step: usize,
    /// Examples of train, dev and test.
    pub examples: [usize; 3],
    /// Words of train, dev and test.
    pub words: [usize; 3],
    /// Parameters while training, BatchNorm's included.
    pub parameters: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether `stop` ended it early.
    pub interrupted: bool,
}

/// Trains a network on the words' train split and gives it folded.
///
/// `stop` ends the training after the current step; the outcome is then the best model so far. The same words, options
/// and libtorch give the same model, bit by bit.
///
/// # Errors
/// [`TrainError`] says what to change.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn train(
    words: &Words,
    options: &Options,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome, TrainError> {
    let started = Instant::now();
    let split = words.split()?;
    let vocab_text = words.vocab()?;
    let vocab = Vocab::new(&vocab_text)?;
    let config = options.architecture.config(vocab.len())?;
    let block_size = config.block_size();
    let build = |words: &[String]| Examples::new("the word list", words, vocab, block_size);
    let (train, dev, test) = (build(&split.train)?, build(&split.dev)?, build(&split.test)?);
    let recipe = &options.recipe;
    let steps = match options.steps {
        Some(steps) => steps,
        None => (recipe.epochs * train.len() as f64 / recipe.batch_size as f64).ceil() as usize,
    };
    check_options(options, steps)?;

    tch::set_num_threads(i32::try_from(options.threads).unwrap_or(i32::MAX));
    tch::manual_seed(i64::from_le_bytes(options.seed.to_le_bytes()));
    let store = VarStore::new(options.device);
    let network = Sequential::new(&store.root(), &options.architecture, vocab.len(), recipe.dropout);
    let parameters = store.trainable_variables().iter().map(Tensor::numel).sum();
    let (contexts, targets) = tensors(&train, options.device);
    let (dev_contexts, dev_targets) = tensors(&dev, options.device);

    let shapes = network.shapes(&contexts.narrow(0, 0, 1));
    observe(Event::Start { shapes: &shapes, parameters, steps });
    let (beta1, beta2) = recipe.betas;
    let adamw = tch::nn::AdamW { beta1, beta2, wd: recipe.weight_decay, eps: 1e-8, amsgrad: false };
    let mut optimizer = adamw.build(&store, recipe.lr)?;

    let mut origin = Origin {
        preset: options.preset.clone(),
        recipe: recipe_json(recipe, options.steps),
        finetune: String::new(),
        steps,
        seed: options.seed,
        threads: options.threads,
        data_sha256: hex(&words.sha256),
        dedup: words.deduplicated,
        train_nll: None,
        dev_nll: None,
        test_nll: None,
        exporter_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut best: Option<(usize, FoldedModel)> = None;
    let mut interrupted = false;
    let report_every = (steps / 200).clamp(1, 50);
    let evaluate_every = steps.div_ceil(options.evaluations.max(1));
    let batch_size = i64::try_from(recipe.batch_size.min(train.len())).expect("no more than the examples");
    let mut batches =
        Batches::new(i64::try_from(train.len()).expect("they fit the memory"), batch_size, options.device);
    let mut running_loss = Tensor::zeros([], (Kind::Float, options.device));
    let mut running_steps = 0;
    for step in 1..=steps {
        optimizer.set_lr(recipe.lr * schedule(step, recipe.warmup_steps, steps));
        let batch = batches.next();
        let logits = network.forward(&contexts.index_select(0, &batch), true);
        let loss = logits.cross_entropy_for_logits(&targets.index_select(0, &batch));
        optimizer.backward_step(&loss);
        // Summed where it was computed: reading it back at every step would make the device wait.
        running_loss += loss.detach();
        running_steps += 1;

        interrupted = stop.load(Ordering::Relaxed);
        let last = step == steps || interrupted;
        let evaluate = step % evaluate_every == 0 || last;
        if step % report_every == 0 || evaluate {
            let loss = running_loss.double_value(&[]) / f64::from(running_steps);
            if !loss.is_finite() {
                return Err(TrainError::Diverged { step, loss, lr: recipe.lr });
            }
            observe(Event::Step { step, loss });
            running_loss = Tensor::zeros([], (Kind::Float, options.device));
            running_steps = 0;
        }
        if evaluate {
            let nll = mean_nll(|x| network.forward(x, false), &dev_contexts, &dev_targets);
            if !nll.is_finite() {
                return Err(TrainError::Diverged { step, loss: nll, lr: recipe.lr });
            }
            origin.dev_nll = Some(nll);
            let folded = fold_network(&network, &options.architecture, &vocab_text, origin.clone());
            observe(Event::Dev { step, nll, model: &folded });
            if best.as_ref().is_none_or(|(_, best)| folded.origin.dev_nll < best.origin.dev_nll) {
                best = Some((step, folded));
            }
        }
        if interrupted {
            break;
        }
    }

    let (best_step, mut model) = best.ok_or_else(|| TrainError::Option("no step was taken".to_owned()))?;
    // Of the folded network, as it will be written: all three from the same weights in the same way.
    let torch = crate::eval::TorchModel::new(&model, options.device);
    model.origin.train_nll = Some(torch.loss(&train).nll);
    model.origin.dev_nll = Some(torch.loss(&dev).nll);
    model.origin.test_nll = Some(torch.loss(&test).nll);
    model.origin.steps = best_step;
    Ok(Outcome {
        model,
        best_step,
        examples: [train.len(), dev.len(), test.len()],
        words: [split.train.len(), split.dev.len(), split.test.len()],
        parameters,
        elapsed: started.elapsed(),
        interrupted,
    })
}

/// The recipe, and the steps where they were given instead of its epochs.
fn recipe_json(recipe: &Recipe, steps: Option<usize>) -> String {
    let Some(steps) = steps else { return serde_json::to_string(recipe).expect("plain numbers") };
    let mut json = serde_json::to_value(recipe).expect("plain numbers");
    json["epochs"] = serde_json::Value::Null;
    json["steps"] = steps.into();
    json.to_string()
}

fn check_options(options: &Options, steps: usize) -> Result<(), TrainError> {
    let refuse = |message: String| Err(TrainError::Option(message));
    let recipe = &options.recipe;
    if recipe.batch_size < 2 {
        return refuse(format!("batch size {}: BatchNorm needs at least 2 examples", recipe.batch_size));
    }
    if steps == 0 || steps > 100_000_000 {
        return refuse(format!("{steps} steps: there must be 1 to 100,000,000 (see --epochs, --steps)"));
    }
    if !(recipe.lr > 0.0 && recipe.lr.is_finite()) {
        return refuse(format!("learning rate {}: it must be above 0", recipe.lr));
    }
    if !(0.0..1.0).contains(&recipe.dropout) {
        return refuse(format!("dropout {}: it must be at least 0 and below 1", recipe.dropout));
    }
    if !(recipe.weight_decay >= 0.0 && recipe.weight_decay.is_finite()) {
        return refuse(format!("weight decay {}: it must be at least 0", recipe.weight_decay));
    }
    if options.threads == 0 {
        return refuse("0 threads: there must be at least 1".to_owned());
    }
    Ok(())
}

/// Share of the top learning rate at `step` (from 1): a line up to 1, then half a cosine down to 0.
pub(crate) fn schedule(step: usize, warmup_steps: usize, steps: usize) -> f64 {
    // A short run still spends most of its steps behind the warm-up.
    let warmup = warmup_steps.min(steps / 10).max(1);
    if step <= warmup {
        step as f64 / warmup as f64
    } else {
        let progress = (step - warmup) as f64 / (steps - warmup) as f64;
        0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

/// Batches of indices: a new permutation of all examples for every epoch; what is left of an epoch is skipped.
pub(crate) struct Batches {
    examples: i64,
    batch_size: i64,
    next: i64,
    permutation: Tensor,
    device: Device,
}

impl Batches {
    pub fn new(examples: i64, batch_size: i64, device: Device) -> Self {
        // The first call draws the first permutation.
        Self { examples, batch_size, next: examples, permutation: Tensor::zeros([0], (Kind::Int64, device)), device }
    }

    pub fn next(&mut self) -> Tensor {
        if self.next + self.batch_size > self.examples {
            // Drawn on the CPU, so that the order does not depend on the device.
            self.permutation = Tensor::randperm(self.examples, (Kind::Int64, Device::Cpu)).to_device(self.device);
            self.next = 0;
        }
        let batch = self.permutation.narrow(0, self.next, self.batch_size);
        self.next += self.batch_size;
        batch
    }
}

/// Copies a network out of libtorch, with every BatchNorm folded into the linear layer before it.
///
/// # Panics
/// If libtorch cannot copy a tensor to the CPU.
pub fn fold_network(network: &Sequential, architecture: &Architecture, vocab: &str, origin: Origin) -> FoldedModel {
    let fold = |linear: &Linear, batch_norm: &BatchNorm1d| {
        let stats = BatchNormStats {
            weight: to_vector(&batch_norm.weight),
            bias: to_vector(&batch_norm.bias),
            running_mean: to_vector(&batch_norm.running_mean),
            running_var: to_vector(&batch_norm.running_var),
            eps: BATCH_NORM_EPS,
        };
        let (weight, bias) = fold_batch_norm(&to_matrix(&linear.weight), &stats);
        FoldedLinear { weight, bias, int4_step: None }
    };
    FoldedModel {
        architecture: architecture.clone(),
        vocab: vocab.to_owned(),
        embedding: to_matrix(&network.embedding.weight),
        levels: network.levels.iter().map(|level| fold(&level.linear, &level.batch_norm)).collect(),
        output: FoldedLinear {
            weight: to_matrix(&network.output.weight),
            bias: to_vector(network.output.bias.as_ref().expect("the output layer has one")),
            int4_step: None,
        },
        origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_rises_and_falls() {
        assert_eq!(schedule(1, 100, 1000), 0.01);
        assert_eq!(schedule(100, 100, 1000), 1.0);
        assert!(schedule(550, 100, 1000) < 0.501 && schedule(550, 100, 1000) > 0.499);
        assert!(schedule(1000, 100, 1000) < 1e-12);
        // A single step is taken at full rate; a short run keeps a short warm-up.
        assert_eq!(schedule(1, 100, 1), 1.0);
        assert_eq!(schedule(2, 100, 20), 1.0);
    }

    #[test]
    fn every_example_comes_once_an_epoch() {
        tch::manual_seed(1);
        let mut batches = Batches::new(10, 5, Device::Cpu);
        for _ in 0..3 {
            let mut seen: Vec<i64> = Vec::new();
            for _ in 0..2 {
                seen.extend(Vec::<i64>::try_from(batches.next()).unwrap());
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
    }
}
