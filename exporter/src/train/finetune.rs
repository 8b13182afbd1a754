//! Fine-tuning with the rounding of the integer path in the forward pass (quantization-aware training).
//!
//! Gradients are straight-through (Jacob et al., 2018), and steps are learned (Esser et al., "Learned Step Size
//! Quantization", 2020). The forward pass mirrors `runtime`'s definition: the table of level 0 and the output layer
//! have 8 bits with a step per row, the levels between them `bits` bits with a learned step per row; pre-activations
//! are in the units of the activation, activations in 1/127.
//!
//! The teacher is the network itself before any rounding. Its probabilities are the target (Hinton et al., "Distilling
//! the Knowledge in a Neural Network", 2015): the result is better than with the words as the only target.

mod fake_quantized;

use std::sync::atomic::{AtomicBool, Ordering};

use runtime::Vocab;
use tch::nn::{OptimizerConfig, VarStore};
use tch::{Device, Tensor};

use crate::data::Words;
use crate::model::file::{Finetuned, FoldedModel};
use crate::model::gptq::{calibration_contexts, quantize};
use crate::model::loss::{divergence, mean_nll};
use crate::model::lost::Lost;
use crate::model::quantize::Range;
use crate::model::tensors;
use crate::model::torch_model::TorchModel;
use crate::train::draws::Batches;
use crate::train::error::TrainError;
use crate::train::recipe::{Sampling, Schedule};
use fake_quantized::FakeQuantized;

/// Settings of a fine-tuning.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bits of the inner levels' weights: 4, or for experiments 3 or 2 (ternary). The blob stores them in 4.
    pub bits: u32,
    /// Highest learning rate.
    pub lr: f64,
    /// Number of passes over the training split.
    pub epochs: f64,
    /// Examples per step.
    pub batch_size: usize,
    /// Seed of the batches.
    pub seed: u64,
    /// Number of libtorch's threads.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { bits: 4, lr: 2e-4, epochs: 1.0, batch_size: 512, seed: 42, threads: 1 }
    }
}

impl Options {
    /// Returns the number of steps for `examples` examples. Fails if a setting is outside its limits.
    fn steps(&self, examples: usize) -> Result<usize, TrainError> {
        let steps = (self.epochs * examples as f64 / self.batch_size as f64).ceil() as usize;
        let sane = self.lr > 0.0 && self.lr.is_finite() && (1..=100_000_000).contains(&steps);
        if sane && self.batch_size > 0 && self.threads > 0 && (2..=4).contains(&self.bits) {
            return Ok(steps);
        }
        let message = format!(
            "--lr, --batch-size and --threads must be above 0, --bits 2 to 4, and --epochs must make 1 to 100,000,000 \
             steps, but makes {steps}"
        );
        Err(TrainError::Option(message))
    }
}

/// Event of a fine-tuning, for the code that shows it.
pub enum Event {
    /// The fine-tuning is about to start.
    Start {
        /// Number of steps.
        steps: usize,
        /// Result of the network with all roundings, before the first step.
        dev: Dev,
    },
    /// Some steps were done.
    Step {
        /// Steps done.
        step: usize,
        /// Mean divergence from the teacher since the last event, in nats per character.
        loss: f64,
    },
    /// The dev split was evaluated.
    Dev {
        /// Steps done.
        step: usize,
        /// Result of the network at this step.
        dev: Dev,
    },
}

/// Result of the network with all roundings on the dev split, in nats per character.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dev {
    /// Mean negative log-likelihood.
    pub nll: f64,
    /// Mean Kullback-Leibler divergence from the teacher. The best model has the lowest divergence: a loss may be low
    /// by chance, a divergence hardly ever is.
    pub kl: f64,
}

/// Fine-tunes a folded model. The result has 4-bit steps in its inner levels, which `export --precision int4` keeps.
///
/// `stop` ends the training early. The result is the model with the lowest divergence from the teacher on the dev
/// split.
///
/// # Errors
/// [`TrainError`] if the words or settings cannot be used, or the training diverges.
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
    let mut tuning = Finetuning::new(model, words, options)?;
    let steps = tuning.steps;
    observe(Event::Start { steps, dev: tuning.best.dev });
    let report_every = (steps / 100).clamp(1, 50);
    let evaluate_every = steps.div_ceil(10);
    for step in 1..=steps {
        tuning.step(step);
        let last = step == steps || stop.load(Ordering::Relaxed);
        if step.is_multiple_of(report_every) || last {
            observe(Event::Step { step, loss: tuning.read_divergence(step)? });
        }
        if step.is_multiple_of(evaluate_every) || last {
            observe(Event::Dev { step, dev: tuning.measure(step) });
        }
        if last {
            break;
        }
    }
    Ok(tuning.best.model)
}

/// State of a fine-tuning between two steps.
struct Finetuning<'a> {
    options: &'a Options,
    model: &'a FoldedModel,
    /// The network before any rounding.
    teacher: TorchModel,
    student: FakeQuantized,
    optimizer: tch::nn::Optimizer,
    /// Contexts of the train split.
    contexts: Tensor,
    batches: Batches,
    batch_size: i64,
    /// Dev loss of the teacher.
    teacher_nll: f64,
    /// Contexts and targets of the dev split.
    dev: (Tensor, Tensor),
    steps: usize,
    /// Sum of the divergences since the last report, and their number.
    divergence: (f64, u32),
    best: Best,
}

/// Best model so far on the dev split.
struct Best {
    dev: Dev,
    model: FoldedModel,
}

impl Best {
    /// Folds the student and records its loss, with all roundings, against the teacher.
    fn new(
        student: &FakeQuantized,
        dev: Dev,
        teacher_nll: f64,
        model: &FoldedModel,
        options: &Options,
        step: usize,
    ) -> Self {
        let mut folded = student.fold(model);
        let Options { bits, lr, epochs, batch_size, seed, .. } = *options;
        let lost = Lost { kl: dev.kl, delta: dev.nll - teacher_nll };
        let result = Finetuned { dev_nll: teacher_nll, lost };
        folded.origin.finetune =
            serde_json::json!(Record { bits, lr, epochs, batch_size, seed, step, result }).to_string();
        Self { dev, model: folded }
    }
}

/// Record of a fine-tuning in the model's file.
#[derive(serde::Serialize)]
struct Record {
    bits: u32,
    lr: f64,
    epochs: f64,
    batch_size: usize,
    seed: u64,
    /// Step from which the weights are.
    step: usize,
    #[serde(flatten)]
    result: Finetuned,
}

impl<'a> Finetuning<'a> {
    /// Rounds the model with error compensation: the training starts from that.
    fn new(model: &'a FoldedModel, words: &Words, options: &'a Options) -> Result<Self, TrainError> {
        let vocab = Vocab::new(&model.vocab)?;
        let config = model.architecture.config(vocab.len())?;
        if config.levels().len() < 2 {
            let message =
                "the network has only level 0, which stays in 8 bits: there is nothing to fine-tune for 4 bits";
            return Err(TrainError::Option(message.to_owned()));
        }
        let split = words.split()?;
        let examples = |part: &[String]| tensors::examples(model, &words.name, part);
        let (train, dev) = (examples(&split.train)?, examples(&split.dev)?);
        let steps = options.steps(train.len())?;

        tch::set_num_threads(i32::try_from(options.threads).unwrap_or(i32::MAX));
        tch::manual_seed(i64::from_le_bytes(options.seed.to_le_bytes()));
        let store = VarStore::new(Device::Cpu);
        let weight_max = f64::from((1_u32 << (options.bits - 1)) - 1);
        let range = Range { levels: weight_max, ..Range::INT4 };
        let rounded = quantize(model, &calibration_contexts(&train), range);
        let student = FakeQuantized::new(&store.root(), model, &rounded, weight_max);
        let dev = tensors::of_examples(&dev, Device::Cpu);
        // The model before the first step is the first candidate: error-compensated rounding may be hard to beat.
        let teacher = TorchModel::new(model, Device::Cpu);
        let teacher_nll = mean_nll(|x| teacher.forward(x), &dev.0, &dev.1);
        let best = Best::new(&student, student.evaluate(&teacher, &dev), teacher_nll, model, options, 0);

        let adamw = tch::nn::AdamW { beta1: 0.9, beta2: 0.98, wd: 0.0, eps: 1e-8, amsgrad: false };
        let examples = i64::try_from(train.len()).expect("they fit the memory");
        let batch_size = i64::try_from(options.batch_size).expect("a batch fits the memory").min(examples);
        Ok(Self {
            teacher,
            teacher_nll,
            optimizer: adamw.build(&store, options.lr)?,
            contexts: tensors::of_examples(&train, Device::Cpu).0,
            batches: Batches::new(examples, batch_size, Sampling::Shuffled, Device::Cpu),
            divergence: (0.0, 0),
            options,
            model,
            student,
            batch_size,
            dev,
            steps,
            best,
        })
    }

    /// Trains the student on a batch, towards the teacher's probabilities.
    fn step(&mut self, step: usize) {
        let schedule = Schedule::Cosine { warmup_steps: 100 };
        self.optimizer.set_lr(self.options.lr * schedule.share(step, self.steps));
        let x = self.contexts.index_select(0, &self.batches.next_batch());
        let wanted = tch::no_grad(|| self.teacher.forward(&x));
        let divergence = divergence(&wanted, &self.student.forward(&x)) / self.batch_size as f64;
        self.optimizer.backward_step(&divergence);
        self.divergence.0 += divergence.double_value(&[]);
        self.divergence.1 += 1;
    }

    /// Returns the mean divergence of the steps since the last call.
    fn read_divergence(&mut self, step: usize) -> Result<f64, TrainError> {
        let (sum, steps) = std::mem::take(&mut self.divergence);
        let loss = sum / f64::from(steps);
        if loss.is_finite() { Ok(loss) } else { Err(TrainError::Diverged { step, loss, lr: self.options.lr }) }
    }

    /// Evaluates the dev split and keeps the model if it is the best so far.
    fn measure(&mut self, step: usize) -> Dev {
        let dev = self.student.evaluate(&self.teacher, &self.dev);
        if dev.kl < self.best.dev.kl {
            self.best = Best::new(&self.student, dev, self.teacher_nll, self.model, self.options, step);
        }
        dev
    }
}
