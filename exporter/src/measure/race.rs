//! Compares the time that our training and the lecture's loop take to the lecture's loss.

use std::time::Instant;

use runtime::Vocab;
use tch::nn::{OptimizerConfig, VarStore};
use tch::{Kind, Tensor};

use crate::data::{Examples, Words};
use crate::model::loss::mean_nll;
use crate::model::tensors;
use crate::train::error::TrainError;
use crate::train::event::Event;
use crate::train::nn::Sequential;
use crate::train::options::Options;
use crate::train::preset::Preset;
use crate::train::training::{Outcome, train};

/// Duration of a piece of work.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// CPU seconds of all threads, on Linux: other programs disturb them less than the wall clock.
    pub cpu_seconds: Option<f64>,
}

struct Stopwatch(Instant, Option<f64>);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now(), cpu_seconds())
    }

    fn read(&self) -> Took {
        let cpu_seconds = cpu_seconds().zip(self.1).map(|(now, then)| now - then);
        Took { seconds: self.0.elapsed().as_secs_f64(), cpu_seconds }
    }
}

/// Returns the CPU seconds of this process so far; Linux only.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name may have spaces. Counted from the field after it, user and system time are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    // A tick is a hundredth of a second on every Linux.
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Trains with the lecture's loop, written plainly in tch: windows, batches of 32 drawn with replacement, libtorch's
/// SGD, the loss read at every step.
///
/// Returns the time and the dev loss after `steps` steps; the time does not include the evaluation on the dev split.
///
/// # Errors
/// [`TrainError`] says what to change.
///
/// # Panics
/// If libtorch runs out of memory.
pub fn plain_loop(words: &Words, preset: &Preset, steps: usize, threads: usize) -> Result<(Took, f64), TrainError> {
    let (split, vocab_text) = (words.split()?, words.vocab()?);
    let vocab = Vocab::new(&vocab_text)?;
    let build = |part: &[String]| Examples::new(&words.name, part, vocab, preset.block_size());
    let (train, dev) = (build(&split.train)?, build(&split.dev)?);
    let (contexts, targets) = tensors::of_examples(&train, tch::Device::Cpu);
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    tch::manual_seed(42);
    let store = VarStore::new(tch::Device::Cpu);
    let recipe = &preset.recipe;
    let network =
        Sequential::with(&store.root(), &preset.architecture(), vocab.len(), 0.0, recipe.modules, preset.statistics);
    let mut optimizer = tch::nn::Sgd::default().build(&store, recipe.lr)?;
    let all = recipe.length.steps(train.len(), recipe.batch_size);
    let examples = contexts.size()[0];
    let batch_size = i64::try_from(recipe.batch_size).expect("32");
    let mut losses = Vec::with_capacity(steps);
    let watch = Stopwatch::start();
    for step in 1..=steps {
        let batch = Tensor::randint(examples, [batch_size], (Kind::Int64, tch::Device::Cpu));
        let logits = network.forward(&contexts.index_select(0, &batch), true);
        let loss = logits.cross_entropy_for_logits(&targets.index_select(0, &batch));
        optimizer.set_lr(recipe.lr * recipe.schedule.share(step, all));
        optimizer.backward_step(&loss);
        losses.push(loss.double_value(&[]));
    }
    let took = watch.read();
    let (contexts, targets) = tensors::of_examples(&dev, tch::Device::Cpu);
    Ok((took, mean_nll(|x| network.forward(x, false), &contexts, &targets)))
}

/// Trains with our loop; the time is that from the first step to the end of the last, without the evaluation on the dev
/// split.
///
/// # Errors
/// [`TrainError`] says what to change.
pub fn ours(words: &Words, options: &Options) -> Result<(Took, Outcome), TrainError> {
    let (mut watch, mut took) = (Stopwatch::start(), None);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let outcome = train(words, options, None, &stop, &mut |event| match event {
        Event::Start { .. } => watch = Stopwatch::start(),
        // This event comes after the loss was read and before the evaluation.
        Event::Step { .. } => took = Some(watch.read()),
        _ => {}
    })?;
    Ok((took.expect("a training tells of its last step"), outcome))
}
