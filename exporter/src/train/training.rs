//! The training loop.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tch::nn::VarStore;
use tch::{Kind, Tensor};

use crate::data::Words;
use crate::io::write::WriteError;
use crate::model::activation;
use crate::model::arrays::to_vector;
use crate::model::file::{FoldedModel, Origin};
use crate::model::normalize::normalize;
use crate::model::temperature;
use crate::model::torch_model::TorchModel;
use crate::train::batch::Batch;
use crate::train::checkpoint::{self, Checkpoint, CheckpointError};
use crate::train::corpus::{Corpus, Part};
use crate::train::draws;
use crate::train::error::TrainError;
use crate::train::event::Event;
use crate::train::fingerprint::differences;
use crate::train::fold_network::fold_network;
use crate::train::nn::look_ahead::LookAhead;
use crate::train::nn::{Block, Sequential};
use crate::train::optimizer::Optimizer;
use crate::train::options::{Interval, Options};
use crate::train::recipe::Keep;
use crate::train::source::Source;
use crate::train::statistics::{Activations, Before, WeightStatistics};

/// Number of steps of a training at which statistics of activations, gradients and updates are taken.
const STATISTICS: usize = 100;

/// Name of the look-ahead layer among the variables.
const LOOK_AHEAD: &str = "look_ahead";

/// Result of a training.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Folded network of the step that the recipe keeps, with its losses in `origin`; `None` if the network cannot be
    /// folded.
    pub model: Option<FoldedModel>,
    /// Temperature by which the logits of the model were divided, 1 if none was fitted.
    pub temperature: f64,
    /// Losses of train, dev and test, in nats per character.
    pub losses: [f64; 3],
    /// Step from which the model is.
    pub best_step: usize,
    /// Number of examples of train, dev and test.
    pub examples: [usize; 3],
    /// Number of words of train, dev and test; `None` for a text.
    pub words: Option<[usize; 3]>,
    /// Number of parameters of the network during training, BatchNorm's included.
    pub parameters: usize,
    /// Total duration of the training.
    pub elapsed: Duration,
    /// `true` if `stop` ended the training early.
    pub interrupted: bool,
}

/// Trains a network on the words' train split and folds it.
///
/// `stop` ends the training after the current step; the outcome is then the best model so far. With the same words,
/// options and libtorch, the model is the same bit by bit, whether or not the training was interrupted and continued
/// from its checkpoint.
///
/// # Errors
/// [`TrainError`] if the words, options or checkpoint cannot be used, or the training diverges.
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
    let mut training = Training::new(words, options)?;
    if let Some(checkpoint) = resume {
        training.check(checkpoint)?;
    }
    training.start(resume.map_or(0, |checkpoint| checkpoint.step), observe);
    if let Some(checkpoint) = resume {
        training.resume(checkpoint)?;
    }
    while training.step < training.steps {
        let seen = training.step();
        let step = training.step;
        let last = step == training.steps;
        let interrupted = !last && stop.load(Ordering::Relaxed);
        let evaluate = last || step.is_multiple_of(training.every.evaluation);
        let save = if last { None } else { training.save_to(interrupted) };
        if evaluate || interrupted || save.is_some() || step.is_multiple_of(training.every.report) {
            let losses = training.read_losses()?;
            observe(Event::Step { step, lr: training.lr(), losses: &losses });
        }
        if let Some(Seen { activations, weights }) = &seen {
            observe(Event::Statistics { step, activations, weights });
        }
        if evaluate {
            training.measure(observe)?;
        }
        // Saves before a measurement that only the interruption causes: it must not affect the continued training.
        let saved = save.map(|path| training.save(path));
        if interrupted && !evaluate {
            training.measure(observe)?;
        }
        if let Some(result) = saved {
            observe(Event::Checkpoint { step, result });
        }
        if interrupted {
            return training.finish(true);
        }
    }
    training.finish(false)
}

/// State of a training between two steps.
struct Training<'a> {
    options: &'a Options,
    corpus: Corpus,
    store: VarStore,
    network: Sequential,
    look_ahead: Option<LookAhead>,
    optimizer: Optimizer,
    source: Source,
    /// Origin of the models folded during the training.
    origin: Origin,
    fingerprint: String,
    /// Total number of steps.
    steps: usize,
    /// Number of steps done.
    step: usize,
    every: Every,
    /// Losses of the last steps, not yet read from the device.
    losses: Vec<Tensor>,
    best: Option<Best>,
    started: Instant,
    /// Time that the training took before it was continued.
    earlier: Duration,
    /// Time of the last checkpoint.
    saved: Instant,
}

/// Number of steps between two reports of the loss, two measurements of the dev loss, and two statistics.
struct Every {
    report: usize,
    evaluation: usize,
    statistics: usize,
}

/// Model that the recipe keeps of the measurements so far.
struct Best {
    step: usize,
    nll: f64,
    /// `None` if the network cannot be folded.
    model: Option<FoldedModel>,
}

/// Statistics of outputs, gradients and updates of a step.
struct Seen {
    activations: Vec<Activations>,
    weights: Vec<WeightStatistics>,
}

impl<'a> Training<'a> {
    /// Builds the network and the source of batches, and draws the first weights.
    fn new(words: &Words, options: &'a Options) -> Result<Self, TrainError> {
        let started = Instant::now();
        let recipe = &options.recipe;
        let corpus = Corpus::new(words, &options.architecture, options.device)?;
        let steps = recipe.length.steps(corpus.characters()[0], recipe.batch_size);
        options.check(words, steps)?;
        tch::set_num_threads(i32::try_from(options.threads).unwrap_or(i32::MAX));
        tch::manual_seed(i64::from_le_bytes(options.seed.to_le_bytes()));
        let store = VarStore::new(options.device);
        let network = Sequential::with(
            &store.root(),
            &options.architecture,
            corpus.vocab_size,
            recipe.dropout,
            recipe.modules,
            options.statistics,
        );
        let look_ahead =
            (recipe.look_ahead > 0.0).then(|| LookAhead::new(&store.root() / LOOK_AHEAD, &network, recipe.dropout));
        Ok(Self {
            optimizer: Optimizer::new(recipe.optimizer, &store),
            source: Source::new(recipe, &options.architecture, &corpus.train, options.device),
            origin: options.origin(words, steps),
            fingerprint: options.fingerprint(words),
            every: Every {
                report: (steps / 200).clamp(1, 50),
                evaluation: steps.div_ceil(options.evaluations.max(1)),
                statistics: steps.div_ceil(STATISTICS),
            },
            step: 0,
            losses: Vec::new(),
            best: None,
            earlier: Duration::ZERO,
            saved: Instant::now(),
            options,
            corpus,
            store,
            network,
            look_ahead,
            steps,
            started,
        })
    }

    /// Fails if the checkpoint belongs to another training.
    fn check(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        if checkpoint.fingerprint == self.fingerprint {
            return Ok(());
        }
        let differences = differences(&checkpoint.fingerprint, &self.fingerprint);
        Err(CheckpointError::OtherTraining { differences })
    }

    /// Tells the observer the network's shapes and the number of steps, `done` of which are in the checkpoint.
    fn start(&self, done: usize, observe: &mut dyn FnMut(Event<'_>)) {
        let block_size = i64::try_from(self.corpus.block_size).expect("at most 1024");
        let shapes = self.network.shapes(&Tensor::zeros([1, block_size], (Kind::Int64, self.options.device)));
        observe(Event::Start { shapes: &shapes, parameters: self.parameters(), done, steps: self.steps });
    }

    /// Restores the state from a checkpoint, and repeats the random draws of its steps.
    fn resume(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.step = checkpoint.step;
        self.earlier = Duration::from_secs_f64(checkpoint.seconds);
        for (name, variable) in checkpoint::variables(&self.store) {
            checkpoint.get(&format!("variable/{name}"), &variable)?;
        }
        self.optimizer.restore(checkpoint)?;
        if let Some((step, nll)) = checkpoint.best {
            let model = match &checkpoint.best_model[..] {
                [] => None,
                bytes => Some(FoldedModel::from_safetensors(bytes, Path::new("checkpoint"))?),
            };
            self.best = Some(Best { step, nll, model });
        }
        let (dropout, device) = (self.options.recipe.dropout, self.options.device);
        for _ in 0..checkpoint.step {
            let batch = self.source.next_batch();
            if dropout > 0.0 {
                let mut shapes = batch.dropout_shapes(&self.network);
                if self.look_ahead.is_some() {
                    shapes.push(vec![batch.targets().size()[0], self.network.output.weight.size()[1]]);
                }
                draws::skip_dropout(dropout, &shapes, device);
            }
        }
        self.saved = Instant::now();
        Ok(())
    }

    /// Trains on the next batch. Returns statistics if they are due.
    fn step(&mut self) -> Option<Seen> {
        self.step += 1;
        let watched = self.step == 1 || self.step.is_multiple_of(self.every.statistics);
        let batch = self.source.next_batch();
        let mut activations = Vec::new();
        let mut outputs = Vec::new();
        let levels = batch.levels(&self.network, true, &mut |output| {
            if self.look_ahead.is_some() {
                outputs.push(output.shallow_clone());
            }
            if watched {
                activations.push(Activations::of(output));
            }
        });
        let loss = self.network.output.forward(&levels, true).cross_entropy_for_logits(batch.targets());
        self.losses.push(loss.detach());
        let loss = match (&self.look_ahead, &batch) {
            (Some(look_ahead), Batch::Words(words)) => {
                let weight = self.options.recipe.look_ahead * (1.0 - self.step as f64 / self.steps as f64);
                loss + look_ahead.loss(&self.network.output_input(&outputs), &words.later_targets) * weight
            }
            _ => loss,
        };
        let before = watched.then(|| Before::of(&self.store));
        self.optimizer.backward_step(&loss, self.lr());
        before.map(|before| Seen { activations, weights: before.compare() })
    }

    /// Returns the learning rate of the last step.
    fn lr(&self) -> f64 {
        let recipe = &self.options.recipe;
        recipe.lr * recipe.schedule.share(self.step, self.steps)
    }

    /// Returns the losses of the steps since the last call.
    ///
    /// Reads them from the device together: a read after every step would make the device wait.
    fn read_losses(&mut self) -> Result<Vec<f32>, TrainError> {
        let losses = to_vector::<f32>(&Tensor::stack(&self.losses, 0)).to_vec();
        self.losses.clear();
        match losses.iter().position(|loss| !loss.is_finite()) {
            None => Ok(losses),
            Some(wrong) => Err(self.diverged(self.step + 1 - losses.len() + wrong, losses[wrong].into())),
        }
    }

    fn diverged(&self, step: usize, loss: f64) -> TrainError {
        TrainError::Diverged { step, loss, lr: self.options.recipe.lr }
    }

    /// Measures the dev loss, and keeps the model if the recipe asks for that.
    fn measure(&mut self, observe: &mut dyn FnMut(Event<'_>)) -> Result<(), TrainError> {
        let (architecture, origin) = (&self.options.architecture, self.origin.clone());
        let mut model = fold_network(&self.network, architecture, &self.corpus.vocab, origin).ok();
        let [nll, train_nll] = [&self.corpus.dev, &self.corpus.sample].map(|part| self.nll(part, model.as_ref()));
        if !nll.is_finite() {
            return Err(self.diverged(self.step, nll));
        }
        if let Some(model) = &mut model {
            model.origin.dev_nll = Some(nll);
        }
        observe(Event::Dev { step: self.step, nll, train_nll, model: model.as_ref() });
        if self.options.recipe.keep == Keep::Last || self.best.as_ref().is_none_or(|best| nll < best.nll) {
            self.best = Some(Best { step: self.step, nll, model });
        }
        Ok(())
    }

    /// Measures the loss of a part: that of a text on the folded model, which never draws the boundary.
    fn nll(&self, part: &Part, model: Option<&FoldedModel>) -> f64 {
        match model {
            Some(model) if part.is_text => part.nll_of(&TorchModel::new(model, self.options.device)),
            _ => part.nll(&self.network, &self.options.architecture, self.options.recipe.form),
        }
    }

    /// Returns the checkpoint's file if a checkpoint is due; after an interruption it always is.
    fn save_to(&self, interrupted: bool) -> Option<&'a Path> {
        let (path, interval) = self.options.checkpoints.as_ref()?;
        let is_due = match interval {
            Interval::Steps(steps) => self.step.is_multiple_of((*steps).max(1)),
            Interval::Time(time) => self.saved.elapsed() >= *time,
        };
        (interrupted || is_due).then_some(path.as_path())
    }

    /// Writes a checkpoint.
    fn save(&mut self, path: &Path) -> Result<(), WriteError> {
        let mut state = Checkpoint {
            step: self.step,
            seconds: self.elapsed().as_secs_f64(),
            fingerprint: self.fingerprint.clone(),
            ..Checkpoint::default()
        };
        if let Some(Best { step, nll, model }) = &self.best {
            state.best = Some((*step, *nll));
            state.best_model = model.as_ref().map(FoldedModel::to_safetensors).unwrap_or_default();
        }
        for (name, variable) in checkpoint::variables(&self.store) {
            state.put(format!("variable/{name}"), &variable);
        }
        self.optimizer.save(&mut state);
        self.saved = Instant::now();
        state.write(path)
    }

    /// Measures the kept model on all splits and returns the outcome.
    fn finish(mut self, interrupted: bool) -> Result<Outcome, TrainError> {
        let mut best = self.best.take().ok_or_else(|| TrainError::Option("no step was taken".to_owned()))?;
        let (losses, temperature) = match &mut best.model {
            Some(model) => self.complete(model, best.step),
            None => (self.corpus.losses(&self.network), 1.0),
        };
        Ok(Outcome {
            model: best.model,
            losses,
            temperature,
            best_step: best.step,
            examples: self.corpus.characters(),
            words: self.corpus.words,
            parameters: self.parameters(),
            elapsed: self.elapsed(),
            interrupted,
        })
    }

    /// Scales the levels of an unbounded activation, fits the temperature if the recipe asks for that, and stores the
    /// losses in the model's origin. Returns the losses and the temperature.
    ///
    /// The losses are those of the folded network in the file: all three come from the same weights.
    fn complete(&self, model: &mut FoldedModel, step: usize) -> ([f64; 3], f64) {
        if !activation::is_bounded(self.options.architecture.activation) {
            normalize(model, &self.corpus.calibration());
        }
        let temperature = if self.options.recipe.fit_temperature {
            let dev = self.corpus.dev.windows();
            temperature::fit(model, &dev.contexts, &dev.targets)
        } else {
            1.0
        };
        let losses = self.corpus.losses_of(model, self.options.device);
        let origin = &mut model.origin;
        [origin.train_nll, origin.dev_nll, origin.test_nll] = losses.map(Some);
        origin.steps = step;
        (losses, temperature)
    }

    /// Returns the number of parameters of the network, BatchNorm's included.
    fn parameters(&self) -> usize {
        let of_network = |name: &str| !name.starts_with(LOOK_AHEAD);
        let trained =
            self.store.variables().into_iter().filter(|(name, value)| of_network(name) && value.requires_grad());
        trained.map(|(_, value)| value.numel()).sum()
    }

    /// Returns the duration of the training, including the time before it was continued.
    fn elapsed(&self) -> Duration {
        self.earlier + self.started.elapsed()
    }
}
