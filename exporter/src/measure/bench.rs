//! Measures how many characters per second this computer draws, with the runtime and with libtorch.
//!
//! A character is one draw, the boundary at the end of a word included. The contenders are measured in turns, so that
//! other programs slow all of them down, and the median of the turns counts.

use std::time::{Duration, Instant};

use runtime::batch::Batch;
use runtime::{Generator, HeapState, Model, Sampling};
use tch::{Device, Kind, Tensor};

use crate::model::torch_model::TorchModel;

/// A way to draw characters.
pub struct Contender<'a> {
    /// `runtime` or `libtorch`.
    pub engine: &'static str,
    /// `f32`, `int8`, `int4`.
    pub precision: String,
    /// Number of words drawn together.
    pub words_at_once: usize,
    /// Most threads that it uses.
    pub threads: usize,
    /// Draws for about that long; returns the number of characters.
    draw: Box<dyn FnMut(Duration) -> usize + 'a>,
    /// Seconds per character of each turn.
    times: Vec<f64>,
}

impl<'a> Contender<'a> {
    fn new(
        engine: &'static str,
        precision: String,
        [words_at_once, threads]: [usize; 2],
        draw: impl FnMut(Duration) -> usize + 'a,
    ) -> Self {
        Self { engine, precision, words_at_once, threads, draw: Box::new(draw), times: Vec::new() }
    }

    /// Draws one word after the other with the runtime, as a chip does.
    ///
    /// # Panics
    /// Never: a heap state fits its model.
    pub fn single(model: &'a Model<'a>) -> Self {
        let mut state = HeapState::new(model);
        let mut seed = 0;
        Self::new("runtime", precision(model), [1, 1], move |time| {
            seed += 1;
            let sampling = Sampling::default();
            let mut generator = Generator::new(model, &mut state, sampling, seed).expect("made for this model");
            let mut characters = 0;
            until(time, || {
                for _ in 0..16 {
                    characters += generator.start("").expect("no prompt").count() + 1;
                }
            });
            characters
        })
    }

    /// Draws `words` whole words at once with the runtime.
    pub fn batch(model: &'a Model<'a>, words: usize, threads: usize) -> Self {
        let batch = Batch::new(model, Sampling::default());
        let mut seed = 0;
        Self::new("runtime", precision(model), [words, threads], move |time| {
            let mut characters = 0;
            until(time, || {
                seed += 1;
                let words = batch.words(seed, 0..words as u64, threads);
                characters += words.iter().map(|word| word.text.chars().count() + 1).sum::<usize>();
            });
            characters
        })
    }

    /// Draws with libtorch as the lecture does: the whole window through the network, softmax, multinomial, repeat.
    ///
    /// # Panics
    /// If libtorch runs out of memory.
    pub fn torch_single(model: &'a TorchModel, block_size: usize, threads: usize) -> Self {
        Self::new("libtorch", "f32".to_owned(), [1, threads], move |time| {
            set_threads(threads);
            let mut characters = 0;
            let mut context = vec![0_i64; block_size];
            until(time, || {
                tch::no_grad(|| {
                    let logits = model.forward(&Tensor::from_slice(&context).view([1, -1]));
                    let token = logits.softmax(-1, Kind::Float).multinomial(1, false).int64_value(&[0, 0]);
                    if token == 0 {
                        context.fill(0);
                    } else {
                        context.rotate_left(1);
                        context[block_size - 1] = token;
                    }
                });
                characters += 1;
            });
            characters
        })
    }

    /// Draws with libtorch from `words` windows in one tensor; a window whose word has ended begins a new word.
    ///
    /// # Panics
    /// If libtorch runs out of memory.
    pub fn torch_batch(model: &'a TorchModel, block_size: usize, words: usize, threads: usize) -> Self {
        let shape = [words, block_size].map(|n| i64::try_from(n).expect("a dimension"));
        Self::new("libtorch", "f32".to_owned(), [words, threads], move |time| {
            set_threads(threads);
            let mut characters = 0;
            let mut contexts = Tensor::zeros(shape, (Kind::Int64, Device::Cpu));
            until(time, || {
                tch::no_grad(|| {
                    let tokens = model.forward(&contexts).softmax(-1, Kind::Float).multinomial(1, false);
                    let older = contexts.narrow(1, 1, shape[1] - 1);
                    contexts = Tensor::cat(&[&older, &tokens], 1).masked_fill(&tokens.eq(0), 0);
                });
                characters += words;
            });
            characters
        })
    }

    /// Returns the seconds per character, the median of the turns.
    pub fn seconds(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Lets each contender draw for `time` in turns, once to warm up and then `turns` times.
pub fn measure(contenders: &mut [Contender<'_>], turns: usize, time: Duration) {
    for turn in 0..=turns {
        for contender in &mut *contenders {
            let start = Instant::now();
            let characters = (contender.draw)(time);
            let seconds = start.elapsed().as_secs_f64() / characters.max(1) as f64;
            if turn > 0 {
                contender.times.push(seconds);
            }
        }
    }
}

fn precision(model: &Model<'_>) -> String {
    format!("{:?}", model.precision()).to_lowercase()
}

fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

/// Repeats `each` until the time is over, at least once.
fn until(time: Duration, mut each: impl FnMut()) {
    let start = Instant::now();
    loop {
        each();
        if start.elapsed() >= time {
            return;
        }
    }
}
