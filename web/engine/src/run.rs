//! A model at work: words, and the values of the nodes along a word.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use runtime::format::{AlignedBlob, Layout};
use runtime::write::relayout;
use runtime::{BOUNDARY, Generator, HeapState, Model, Sampling, Stream, Token};

use crate::facts::Facts;
use crate::works::{Work, works};

/// Reason why something was refused, in the runtime's words.
pub type Refused = String;

/// Layout of integers in which a browser computes fastest: on one machine in int8 1.4 times as fast as row by row, in
/// int4 3.4 times.
const FASTEST: Layout = Layout::Lanes16;

/// Reads a blob, whose copy stays.
fn model(blob: &[u8]) -> Result<&'static Model<'static>, Refused> {
    let blob: &'static AlignedBlob = Box::leak(Box::new(AlignedBlob::from(blob)));
    Ok(Box::leak(Box::new(Model::new(blob.as_bytes()).map_err(|error| error.to_string())?)))
}

/// A loaded model.
#[derive(Debug)]
pub struct Run {
    model: &'static Model<'static>,
    /// Size of the blob that was loaded.
    bytes: usize,
    state: HeapState,
    /// Settings and random numbers of the list of words.
    sampling: Sampling,
    rng: Xoshiro128PlusPlus,
    /// Number of values of each level that the model computes: 0 for a level that it looks up with the next one.
    widths: Vec<usize>,
}

impl Run {
    /// Loads a blob, and compares its golden text with the exporting host's: this browser computes the same bits.
    ///
    /// Integers are converted to the layout in which a browser computes fastest.
    ///
    /// # Errors
    /// The runtime's message for a blob that it refuses.
    pub fn load(blob: &[u8]) -> Result<Self, Refused> {
        let given = model(blob)?;
        let model = if given.precision().is_integer() && given.layout() != FASTEST {
            model(&relayout(given, FASTEST).map_err(|error| error.to_string())?)?
        } else {
            given
        };
        let mut state = HeapState::new(model);
        model.self_test(&mut state).map_err(|error| error.to_string())?;
        let mut widths = vec![0; model.config().levels().len()];
        // The observer sees the levels that the model computes.
        Stream::new(model, &mut state)
            .map_err(|error| error.to_string())?
            .push_observed(BOUNDARY, &mut |level, values| widths[level] = values.len());
        let (sampling, rng) = (Sampling::default(), Xoshiro128PlusPlus::seed_from_u64(0));
        Ok(Self { model, bytes: blob.len(), state, sampling, rng, widths })
    }

    /// Returns the facts about the model.
    pub fn facts(&self) -> Facts {
        Facts::of(self.model, self.bytes, |level| self.widths[level] > 0)
    }

    /// Returns the model.
    pub fn model(&self) -> &Model<'static> {
        self.model
    }

    /// Starts a list of words. The same settings draw the same list as on a host or a chip.
    pub fn begin(&mut self, sampling: Sampling, seed: u64) {
        (self.sampling, self.rng) = (sampling, Xoshiro128PlusPlus::seed_from_u64(seed));
    }

    /// Returns the next words of the list, each beginning with `prompt`.
    ///
    /// # Errors
    /// The runtime's message for a prompt that it refuses.
    pub fn next(&mut self, prompt: &str, count: usize) -> Result<Vec<String>, Refused> {
        let generator = Generator::with_rng(self.model, &mut self.state, self.sampling, &mut self.rng);
        let mut generator = generator.map_err(|error| error.to_string())?;
        let mut word = || Ok(generator.start(prompt).map_err(|error| error.to_string())?.collect());
        (0..count).map(|_| word()).collect()
    }

    /// Returns the numbers of all steps along a word, 32 bits each, little-endian: first the start, then one step per
    /// character. A step is the values of the observed levels and the logits in nats, in single precision, and the
    /// negative log-likelihood of every token, an integer in millionths of a nat.
    ///
    /// # Errors
    /// The runtime's message for the first character that the model does not know.
    pub fn film(&mut self, word: &str) -> Result<Vec<u8>, Refused> {
        let vocab = self.model.vocab();
        let tokens: Result<Vec<Token>, _> = word.chars().map(|character| vocab.encode(character)).collect();
        let tokens = tokens.map_err(|error| error.to_string())?;
        let mut stream = Stream::new(self.model, &mut self.state).map_err(|error| error.to_string())?;
        let mut numbers = Vec::new();
        // A boundary at the start of a word changes nothing.
        for token in core::iter::once(BOUNDARY).chain(tokens) {
            stream.push_observed(token, &mut |_, values| {
                numbers.extend((0..values.len()).filter_map(|index| values.get(index)).flat_map(f32::to_le_bytes));
            });
            let tokens = 0..vocab.len() as Token;
            numbers.extend(tokens.clone().filter_map(|token| stream.logits().get(token)).flat_map(f32::to_le_bytes));
            numbers.extend(tokens.flat_map(|token| stream.nll_micronats(token).to_le_bytes()));
        }
        Ok(numbers)
    }

    /// Returns the work of the model on each core that is predicted.
    ///
    /// # Errors
    /// The runtime's message if the model cannot have the layout of a core.
    pub fn works(&self) -> Result<Vec<Work>, Refused> {
        works(self.model, self.bytes).map_err(|error| error.to_string())
    }

    /// Returns the blob of an integer model in another layout, as a chip needs it.
    ///
    /// # Errors
    /// A message for a layout that does not exist, and for a model in single precision.
    pub fn in_layout(&self, layout: &str) -> Result<Vec<u8>, Refused> {
        let known = Layout::from_name(layout).ok_or_else(|| format!("there is no layout {layout}"))?;
        relayout(self.model, known).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT8: &[u8] = include_bytes!("../../../models/tiny.int8.blob");

    #[test]
    fn words_are_those_of_a_generator() {
        let mut run = Run::load(INT8).unwrap();
        let sampling = Sampling::default().temperature_milli(700).top_k(5);
        run.begin(sampling, 42);
        let words = run.next("a", 20).unwrap();
        let mut state = HeapState::new(run.model());
        let mut generator = Generator::new(run.model, &mut state, sampling, 42).unwrap();
        let expected: Vec<String> = (0..20).map(|_| generator.start("a").unwrap().collect()).collect();
        assert_eq!(words, expected);
        assert!(run.next("A", 1).unwrap_err().contains('A'));
    }

    #[test]
    fn a_film_has_the_numbers_of_a_stream() {
        let mut run = Run::load(INT8).unwrap();
        let numbers = run.film("ann").unwrap();
        let (numbers, _) = numbers.as_chunks::<4>();
        let facts = run.facts();
        let vocab_size = facts.characters.len();
        let widths: usize = facts.levels.iter().map(|level| level.width).sum();
        assert!(facts.levels.iter().all(|level| level.is_observed));
        let step = widths + 2 * vocab_size;
        assert_eq!(numbers.len(), 4 * step);
        let mut state = HeapState::new(run.model());
        let mut stream = Stream::new(run.model, &mut state).unwrap();
        let a = run.model().vocab().encode('a').unwrap();
        let nll = |step_index: usize, token: Token| {
            u32::from_le_bytes(numbers[step_index * step + widths + vocab_size + usize::from(token)])
        };
        assert_eq!(nll(0, a), stream.nll_micronats(a));
        stream.push(a);
        assert_eq!(f32::from_le_bytes(numbers[step + widths]), stream.logits().get(0).unwrap());
        assert_eq!(nll(1, a), stream.nll_micronats(a));
        assert!(run.film("an?").is_err());
    }

    #[test]
    fn other_layouts_and_refusals() {
        let run = Run::load(INT8).unwrap();
        let other = run.in_layout("lanes16").unwrap();
        assert_eq!(Run::load(&other).unwrap().facts().bytes, other.len());
        assert!(run.in_layout("none").is_err());
        assert!(Run::load(&[]).is_err());
        let mut damaged = INT8.to_vec();
        damaged[100] ^= 1;
        assert!(Run::load(&damaged).is_err());
    }
}
