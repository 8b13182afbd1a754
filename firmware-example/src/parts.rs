//! What each part of a model takes.

use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use runtime::limits::MAX_LEVELS;
use runtime::{Sampling, Stream};
use semihosting::println;

use crate::board::Stopwatch;

/// Draws so many characters and reports, on the average of them, the instructions of every level, of the output layer and
/// of drawing.
///
/// A level begins with fetching its older inputs and ends with its activation. Reading the stopwatch is not counted. The
/// levels are a copy of the code that [`Stream::push`] runs, with the observer in it, so that the sum is not exactly that of
/// `instructions_per_char`.
pub fn report(stream: &mut Stream<'_>, stopwatch: &mut Stopwatch, seed: u64, characters: u32) {
    let levels = stream.model().config().levels().len();
    let mut rng = Xoshiro128PlusPlus::seed_from_u64(seed);
    let sampling = Sampling::default();
    let (mut layers, mut drawing) = ([0; MAX_LEVELS + 1], 0);
    let reading = {
        let start = stopwatch.now();
        stopwatch.now() - start
    };
    for _ in 0..characters {
        let start = stopwatch.now();
        let token = stream.draw(&sampling, &mut rng);
        let mut last = stopwatch.now();
        drawing += (last - start).saturating_sub(reading);
        let mut lap = |stopwatch: &mut Stopwatch, layer: usize| {
            let now = stopwatch.now();
            if let Some(sum) = layers.get_mut(layer) {
                *sum += (now - last).saturating_sub(reading);
            }
            // Not `now`: what stands above is no part of the next level.
            last = stopwatch.now();
        };
        stream.push_observed(token, &mut |level, _| lap(stopwatch, level));
        lap(stopwatch, levels);
    }
    let average = |sum: u64| sum / u64::from(characters.max(1));
    for (level, &sum) in layers.iter().enumerate().take(levels) {
        println!("level_{level}={}", average(sum));
    }
    println!("output={}", layers.get(levels).map_or(0, |&sum| average(sum)));
    println!("sampling={}", average(drawing));
}
