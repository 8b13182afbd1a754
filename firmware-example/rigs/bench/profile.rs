//! Counts the instructions of each part of a model: its levels, its output layer, and drawing.

use firmware_example::board::Stopwatch;
use firmware_example::println;
use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use runtime::limits::MAX_LEVELS;
use runtime::{Sampling, Stream};

/// Draws characters and prints the average instructions of each level, of the output layer and of drawing.
///
/// A level begins with fetching its older inputs and ends with its activation. Reading the stopwatch is not counted.
/// The sum is not exactly `instructions_per_char`, because the compiler makes a second copy of [`Stream::push`] with
/// the observer in it.
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
            // Reads the stopwatch again: the code since `now` does not belong to the next level.
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
