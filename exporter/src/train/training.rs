//! The training loop.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runtime::{FormatError, Vocab};
use tch::nn::VarStore;
use tch::{Device, Tensor};

use crate::data::{DataError, Examples, Words, hex};
use crate::io::write::WriteError;
use crate::model::activation;
use crate::model::architecture::Architecture;
use crate::model::arrays::{to_matrix, to_vector};
use crate::model::file::{FileError, FoldedLinear, FoldedModel, Origin};
use crate::model::fold::{BatchNormStats, fold_batch_norm};
use crate::model::gptq::calibration_contexts;
use crate::model::loss::mean_nll;
use crate::model::normalize::normalize;
use crate::model::tensors;
use crate::model::torch_model::TorchModel;
use crate::train::batch::{Encoded, Source};
use crate::train::checkpoint::{self, Checkpoint, CheckpointError};
use crate::train::draws;
use crate::train::nn::{BATCH_NORM_EPS, BatchNorm1d, Linear, Sequential, Statistics};
use crate::train::optimizer::Optimizer;
use crate::train::recipe::{Form, Keep, Length, Recipe, Sampling};
use crate::train::statistics::{Activations, Before, WeightStatistics};

/// What to train, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the preset, for the record.
    pub preset: String,
    /// The network.
    pub architecture: Architecture,
    /// What its BatchNorm takes its statistics over.
    pub statistics: Statistics,
    /// The recipe.
    pub recipe: Recipe,
    /// Seed of weights, batches and dropout. Not of the split, which is always the lecture's.
    pub seed: u64,
    /// Threads of libtorch.
    pub threads: usize,
    /// Where to compute.
    pub device: Device,
    /// Times the dev loss is measured, the last step included.
    pub evaluations: usize,
    /// Where and how often to write down the state, so that nothing is lost.
    pub checkpoints: Option<(PathBuf, Interval)>,
}

/// How often something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Every so many steps.
    Steps(usize),
    /// At the first step after so much time.
    Time(Duration),
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
    /// The training cannot go on from its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The best model in the checkpoint cannot be read.
    #[error("the best model in the checkpoint: {0}")]
    BestModel(#[from] FileError),
}

/// Why a network has no folded form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// It has the lecture's bug.
    #[error(
        "its BatchNorm keeps statistics per position, so that its folded weights would differ from position to position: \
         it is for comparing losses only and cannot be folded or exported"
    )]
    PerPosition,
}

/// What happens while training, for those who show or keep it.
pub enum Event<'a> {
    /// Before the first step.
    Start {
        /// A line per block with the shape of its output.
        shapes: &'a str,
        /// Parameters, BatchNorm's included.
        parameters: usize,
        /// Steps done before, by a training that this one continues.
        done: usize,
        /// Steps in all.
        steps: usize,
    },
    /// Some steps are done.
    Step {
        /// Steps done.
        step: usize,
        /// Learning rate of the last one.
        lr: f64,
        /// Training loss of each step since the last event.
        losses: &'a [f32],
    },
    /// Outputs, gradients and updates of one step.
    Statistics {
        /// Steps done.
        step: usize,
        /// Of every level, from the characters up.
        activations: &'a [Activations],
        /// Of every matrix.
        weights: &'a [WeightStatistics],
    },
    /// The dev loss was measured.
    Dev {
        /// Steps done.
        step: usize,
        /// In eval mode, nats per character.
        nll: f64,
        /// The same over as many examples of the train split.
        train_nll: f64,
        /// The model so far, folded; none for a network that cannot be.
        model: Option<&'a FoldedModel>,
    },
    /// The state was written down, or could not be.
    Checkpoint {
        /// Steps done.
        step: usize,
        /// How it went. The training goes on all the same.
        result: Result<(), WriteError>,
    },
}

/// A trained model.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The folded network of the step the recipe keeps, its losses in its `origin`; none for a network that cannot be folded.
    pub model: Option<FoldedModel>,
    /// Losses of train, dev and test.
    pub losses: [f64; 3],
    /// The step it comes from.
    pub best_step: usize,
    /// Examples of train, dev and test.
    pub examples: [usize; 3],
    /// Words of train, dev and test.
    pub words: [usize; 3],
    /// Parameters while training, BatchNorm's included.
    pub parameters: usize,
    /// How long it took, in all.
    pub elapsed: Duration,
    /// Whether `stop` ended it early.
    pub interrupted: bool,
}

/// Trains a network on the words' train split and gives it folded.
///
/// `stop` ends the training after the current step; the outcome is then the best model so far. The same words, options
/// and libtorch give the same model, bit by bit, whether in one go or from a checkpoint of the same training.
///
/// # Errors
/// [`TrainError`] says what to change.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn train(
    words: &Words,
    options: &Options,
    resume: Option<&Checkpoint>,
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
    let steps = recipe.length.steps(train.len(), recipe.batch_size);
    check_options(options, steps)?;

    let fingerprint = fingerprint(options, words);
    if let Some(resume) = resume
        && resume.fingerprint != fingerprint
    {
        let (found, expected) = (resume.fingerprint.clone(), fingerprint);
        return Err(CheckpointError::OtherTraining { found, expected }.into());
    }
    let earlier = resume.map_or(Duration::ZERO, |resume| Duration::from_secs_f64(resume.seconds));
    let done = resume.map_or(0, |resume| resume.step);

    tch::set_num_threads(i32::try_from(options.threads).unwrap_or(i32::MAX));
    tch::manual_seed(i64::from_le_bytes(options.seed.to_le_bytes()));
    let store = VarStore::new(options.device);
    let network = Sequential::with(
        &store.root(),
        &options.architecture,
        vocab.len(),
        recipe.dropout,
        recipe.modules,
        options.statistics,
    );
    let parameters = store.trainable_variables().iter().map(Tensor::numel).sum();
    let (contexts, targets) = tensors::of_examples(&train, options.device);
    let (dev_contexts, dev_targets) = tensors::of_examples(&dev, options.device);
    let sample = i64::try_from(train.len().min(dev.len())).expect("they fit the memory");
    let (sample_contexts, sample_targets) = (contexts.narrow(0, 0, sample), targets.narrow(0, 0, sample));
    let mut optimizer = Optimizer::new(recipe.optimizer, &store);
    let encode = |words: &[String]| Encoded::new("the word list", words, vocab);
    let (train_words, dev_words) = (encode(&split.train)?, encode(&split.dev)?);
    let sample_words = encode(&split.train[..split.train.len().min(split.dev.len())])?;
    let mut source = Source::new(recipe, &options.architecture, (&contexts, &targets), &train_words, options.device);

    let shapes = network.shapes(&contexts.narrow(0, 0, 1));
    observe(Event::Start { shapes: &shapes, parameters, done, steps });

    let mut origin = Origin {
        preset: options.preset.clone(),
        recipe: recipe_json(recipe),
        finetune: String::new(),
        steps,
        seed: options.seed,
        threads: options.threads,
        data_sha256: hex(&words.sha256),
        dedup: words.deduplicated,
        sample: words.sample.map(|sample| sample.words),
        train_nll: None,
        dev_nll: None,
        test_nll: None,
        exporter_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut best: Option<(usize, f64, Option<FoldedModel>)> = None;
    if let Some(resume) = resume {
        for (name, variable) in checkpoint::variables(&store) {
            resume.get(&format!("variable/{name}"), &variable)?;
        }
        optimizer.restore(resume)?;
        if let Some((step, nll)) = resume.best {
            let path = std::path::Path::new("checkpoint");
            let model = match &resume.best_model[..] {
                [] => None,
                bytes => Some(FoldedModel::from_safetensors(bytes, path)?),
            };
            best = Some((step, nll, model));
        }
        for _ in 0..done {
            let batch = source.next_batch();
            if recipe.dropout > 0.0 {
                draws::skip_dropout(recipe.dropout, &batch.dropout_shapes(&network), options.device);
            }
        }
    }

    let mut interrupted = false;
    let report_every = (steps / 200).clamp(1, 50);
    let evaluate_every = steps.div_ceil(options.evaluations.max(1));
    let watch_every = steps.div_ceil(STATISTICS);
    // Read back from the device together: once a step would make it wait.
    let mut losses: Vec<Tensor> = Vec::new();
    let mut saved = Instant::now();
    let measure = |contexts: &Tensor, targets: &Tensor| mean_nll(|x| network.forward(x, false), contexts, targets);
    let measure_either = |words: &Encoded, contexts: &Tensor, targets: &Tensor| match recipe.form {
        Form::Windows => measure(contexts, targets),
        Form::Words => words.mean_nll(&network, &options.architecture, options.device),
    };
    for step in done + 1..=steps {
        let lr = recipe.lr * recipe.schedule.share(step, steps);
        let watched = step == 1 || step % watch_every == 0;
        let batch = source.next_batch();
        let mut activations = Vec::new();
        let logits = batch.logits(&network, true, &mut |output| {
            if watched {
                activations.push(Activations::of(output));
            }
        });
        let loss = logits.cross_entropy_for_logits(batch.targets());
        let before = watched.then(|| Before::of(&store));
        optimizer.backward_step(&loss, lr);
        losses.push(loss.detach());

        let last = step == steps;
        interrupted = !last && stop.load(Ordering::Relaxed);
        let evaluate = step % evaluate_every == 0 || last;
        let save = options.checkpoints.as_ref().filter(|(_, every)| {
            !last
                && (interrupted
                    || match every {
                        Interval::Steps(steps) => step % (*steps).max(1) == 0,
                        Interval::Time(time) => saved.elapsed() >= *time,
                    })
        });
        if step % report_every == 0 || evaluate || interrupted || save.is_some() {
            let values = to_vector::<f32>(&Tensor::stack(&losses, 0)).to_vec();
            losses.clear();
            if let Some(wrong) = values.iter().position(|loss| !loss.is_finite()) {
                let (step, loss) = (step + 1 - values.len() + wrong, f64::from(values[wrong]));
                return Err(TrainError::Diverged { step, loss, lr: recipe.lr });
            }
            observe(Event::Step { step, lr, losses: &values });
        }
        if let Some(before) = before {
            observe(Event::Statistics { step, activations: &activations, weights: &before.compare() });
        }
        let mut evaluated = |best: &mut Option<_>| -> Result<(), TrainError> {
            let nll = measure_either(&dev_words, &dev_contexts, &dev_targets);
            if !nll.is_finite() {
                return Err(TrainError::Diverged { step, loss: nll, lr: recipe.lr });
            }
            origin.dev_nll = Some(nll);
            let folded = fold_network(&network, &options.architecture, &vocab_text, origin.clone()).ok();
            let train_nll = measure_either(&sample_words, &sample_contexts, &sample_targets);
            observe(Event::Dev { step, nll, train_nll, model: folded.as_ref() });
            if recipe.keep == Keep::Last || best.as_ref().is_none_or(|(_, best, _)| nll < *best) {
                *best = Some((step, nll, folded));
            }
            Ok(())
        };
        if evaluate {
            evaluated(&mut best)?;
        }
        // Before a measurement that only an interruption causes: the training that goes on must not know of it.
        let state = save.map(|(path, _)| {
            let mut state = Checkpoint {
                step,
                seconds: (earlier + started.elapsed()).as_secs_f64(),
                fingerprint: fingerprint.clone(),
                ..Checkpoint::default()
            };
            if let Some((step, nll, model)) = &best {
                state.best = Some((*step, *nll));
                state.best_model = model.as_ref().map(FoldedModel::to_safetensors).unwrap_or_default();
            }
            for (name, variable) in checkpoint::variables(&store) {
                state.put(format!("variable/{name}"), &variable);
            }
            optimizer.save(&mut state);
            saved = Instant::now();
            (step, state.write(path))
        });
        if interrupted && !evaluate {
            evaluated(&mut best)?;
        }
        if let Some((step, result)) = state {
            observe(Event::Checkpoint { step, result });
        }
        if interrupted {
            break;
        }
    }

    let (best_step, _, mut model) = best.ok_or_else(|| TrainError::Option("no step was taken".to_owned()))?;
    let losses = match &mut model {
        Some(model) => {
            if !activation::is_bounded(options.architecture.activation) {
                normalize(model, &calibration_contexts(&train));
            }
            // Of the folded network, as it will be written: all three from the same weights in the same way.
            let torch = TorchModel::new(model, options.device);
            let losses = [&train, &dev, &test].map(|examples| torch.loss(examples).nll);
            let origin = &mut model.origin;
            [origin.train_nll, origin.dev_nll, origin.test_nll] = losses.map(Some);
            origin.steps = best_step;
            losses
        }
        None => {
            let (test_contexts, test_targets) = tensors::of_examples(&test, options.device);
            [measure(&contexts, &targets), measure(&dev_contexts, &dev_targets), measure(&test_contexts, &test_targets)]
        }
    };
    Ok(Outcome {
        model,
        losses,
        best_step,
        examples: [train.len(), dev.len(), test.len()],
        words: [split.train.len(), split.dev.len(), split.test.len()],
        parameters,
        elapsed: earlier + started.elapsed(),
        interrupted,
    })
}

/// What a training will take.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Steps.
    pub steps: usize,
    /// Size of a checkpoint, at most.
    pub checkpoint_bytes: usize,
    /// Size of its metrics, about.
    pub metrics_bytes: usize,
}

/// Finds out without training whether words and options can be used.
///
/// # Errors
/// As [`train`], except for what only training shows.
pub fn check(words: &Words, options: &Options) -> Result<Needs, TrainError> {
    let characters = words.split()?.train.iter().map(|word| word.chars().count() + 1).sum();
    let config = options.architecture.config(words.vocab()?.chars().count())?;
    let steps = options.recipe.length.steps(characters, options.recipe.batch_size);
    check_options(options, steps)?;
    // Values, two running means each, the best model; names and running statistics are small beside them.
    let checkpoint_bytes = 4 * 4 * config.parameters() * 5 / 4 + (1 << 16);
    Ok(Needs { steps, checkpoint_bytes, metrics_bytes: 12 * steps + (1 << 18) })
}

/// Times activations, gradients and updates are looked at.
const STATISTICS: usize = 100;

/// What two trainings must have in common for one to continue the other.
fn fingerprint(options: &Options, words: &Words) -> String {
    let levels: Vec<String> =
        options.architecture.levels.iter().map(|level| format!("{}:{}", level.fuse, level.width)).collect();
    let sample = words.sample.map_or(String::new(), |sample| format!(" a sample of {}", sample.words));
    let words =
        format!("{}{sample}{}", hex(&words.sha256), if words.deduplicated { " without duplicates" } else { "" });
    format!(
        "n_embd {}, levels {} {:?}{}, {:?}, {}, seed {}, {} threads on {:?}, {} evaluations, words {words}, version {}",
        options.architecture.n_embd,
        levels.join(","),
        options.architecture.activation,
        if options.architecture.skip { " skip" } else { "" },
        options.statistics,
        recipe_json(&options.recipe),
        options.seed,
        options.threads,
        options.device,
        options.evaluations,
        env!("CARGO_PKG_VERSION"),
    )
}

/// The recipe as the model's file has it.
fn recipe_json(recipe: &Recipe) -> String {
    match recipe.length {
        Length::Epochs(_) => serde_json::to_string(recipe).expect("plain numbers"),
        // With its keys in order: so it was when steps were an option beside the recipe.
        Length::Steps(_) => serde_json::to_value(recipe).expect("plain numbers").to_string(),
    }
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
    if let crate::train::recipe::Optimizer::AdamW { weight_decay, .. } = recipe.optimizer
        && !(weight_decay >= 0.0 && weight_decay.is_finite())
    {
        return refuse(format!("weight decay {weight_decay}: it must be at least 0"));
    }
    let per_position = options.statistics == Statistics::BatchOnly;
    if recipe.form == Form::Words && (per_position || recipe.sampling == Sampling::WithReplacement) {
        return refuse(format!("--form words: {} is defined over windows, drawn one by one", options.preset));
    }
    if options.threads == 0 {
        return refuse("0 threads: there must be at least 1".to_owned());
    }
    Ok(())
}

/// Copies a network out of libtorch, with every BatchNorm folded into the linear layer before it.
///
/// # Errors
/// [`FoldError`] for a network that has no folded form.
///
/// # Panics
/// If libtorch cannot copy a tensor to the CPU.
pub fn fold_network(
    network: &Sequential,
    architecture: &Architecture,
    vocab: &str,
    origin: Origin,
) -> Result<FoldedModel, FoldError> {
    if network.levels.iter().any(|level| level.batch_norm.statistics == Statistics::BatchOnly) {
        return Err(FoldError::PerPosition);
    }
    let fold = |linear: &Linear, batch_norm: &BatchNorm1d| {
        let wide = |values: &Tensor| to_vector::<f32>(values).mapv(f64::from);
        let stats = BatchNormStats {
            weight: wide(&batch_norm.weight),
            bias: wide(&batch_norm.bias),
            running_mean: wide(&batch_norm.running_mean),
            running_var: wide(&batch_norm.running_var),
            eps: BATCH_NORM_EPS,
        };
        let weight = to_matrix::<f32>(&linear.weight).mapv(f64::from);
        let (weight, bias) = fold_batch_norm(&weight, None, &stats);
        let (mut weight, mut bias) = (weight.mapv(|value| value as f32), bias.mapv(|value| value as f32));
        activation::fold(architecture.activation, &mut weight, &mut bias);
        FoldedLinear { weight, bias, int4_step: None }
    };
    Ok(FoldedModel {
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
    })
}
