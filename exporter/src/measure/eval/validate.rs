//! Compares every level of an integer model with the same network in f32, to show where accuracy is lost.
//!
//! The runtime computes both models and shows their activations ([`Stream::push_observed`]).

use runtime::{BOUNDARY, Config, HeapState, Model, Stream, Token};

use crate::data::{DataError, tokens};
use crate::model::architecture::describe;

/// Reasons why a blob cannot be compared with a model.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The vocabularies differ.
    #[error(
        "it is a blob of another model: its vocabulary ({blob} characters) differs from that of the reference \
         ({reference} characters)"
    )]
    Vocabulary {
        /// Size of the blob's vocabulary, the boundary included.
        blob: usize,
        /// Size of the reference's vocabulary.
        reference: usize,
    },
    /// The shapes differ.
    #[error("it is a blob of another model: it has {blob}, the reference has {reference}")]
    Dimensions {
        /// Shape of the blob.
        blob: String,
        /// Shape of the reference.
        reference: String,
    },
    /// The models cannot read a word.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Signal and noise at one point of the network, as sums of squares over all values and characters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noise {
    signal: f64,
    noise: f64,
}

impl Noise {
    fn add(&mut self, expected: f64, found: f64) {
        self.signal += expected * expected;
        self.noise += (expected - found) * (expected - found);
    }

    /// Returns the signal-to-noise ratio in decibels, `10 lg (sum y^2 / sum (y - y')^2)`, or `None` without noise.
    ///
    /// 6 dB are one bit of accuracy; at 0 dB the noise is as strong as the signal.
    pub fn snr_db(&self) -> Option<f64> {
        (self.noise > 0.0).then(|| 10.0 * (self.signal / self.noise).log10())
    }
}

/// Differences between a model and its reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// Noise after the activation of every level, from the characters up.
    pub levels: Vec<Noise>,
    /// Noise of the logits.
    pub logits: Noise,
    /// Mean magnitude of the difference of a logit, in nats.
    pub mean_delta_logit: f64,
    /// Largest difference of a logit, in nats.
    pub max_delta_logit: f64,
    /// Number of characters evaluated, the ends of words included.
    pub characters: usize,
}

/// Runs both models over the words, character by character, and compares every level and the logits.
///
/// # Errors
/// [`ValidateError`] if the networks differ, or cannot read a word; `list` is the list's name in messages.
///
/// # Panics
/// Never: a heap state fits its model.
pub fn validate(
    reference: &Model<'_>,
    blob: &Model<'_>,
    list: &str,
    words: &[String],
) -> Result<Validation, ValidateError> {
    check(reference, blob)?;
    let (mut first, mut second) = (HeapState::new(reference), HeapState::new(blob));
    let mut expected = Observed::new(Stream::new(reference, &mut first).expect("made for this model"));
    let mut found = Observed::new(Stream::new(blob, &mut second).expect("made for this model"));
    let mut points = vec![Noise::default(); reference.config().levels().len() + 1];
    let (mut sum, mut largest, mut characters) = (0.0, 0.0_f64, 0);
    for word in words {
        let tokens = tokens(list, word, reference.vocab());
        expected.stream.reset();
        found.stream.reset();
        // Another boundary in front changes nothing: it shows the outputs of the levels at the start of a word. Nothing
        // is predicted after the last character of a text.
        let ends = usize::from(!reference.vocab().is_of_text());
        for token in std::iter::once(Ok(BOUNDARY)).chain(tokens).take(word.chars().count() + ends) {
            let token = token?;
            expected.push(token);
            found.push(token);
            for (noise, (expected, found)) in points.iter_mut().zip(expected.points.iter().zip(&found.points)) {
                expected.iter().zip(found).for_each(|(&expected, &found)| noise.add(expected, found));
            }
            for (expected, found) in expected.logits().iter().zip(found.logits()) {
                let delta = (expected - found).abs();
                sum += delta;
                largest = largest.max(delta);
            }
            characters += 1;
        }
    }
    let logits = points.pop().unwrap_or_default();
    let mean_delta_logit = sum / (characters * reference.config().vocab_size()).max(1) as f64;
    Ok(Validation { levels: points, logits, mean_delta_logit, max_delta_logit: largest, characters })
}

/// A stream, and its last values: the output of every level, then the logits.
struct Observed<'m> {
    stream: Stream<'m>,
    points: Vec<Vec<f64>>,
}

impl<'m> Observed<'m> {
    fn new(stream: Stream<'m>) -> Self {
        let points = vec![Vec::new(); stream.model().config().levels().len() + 1];
        Self { stream, points }
    }

    fn push(&mut self, token: Token) {
        self.points.iter_mut().for_each(Vec::clear);
        let Self { stream, points } = self;
        stream.push_observed(token, &mut |level, values| {
            points[level].extend((0..values.len()).filter_map(|index| values.get(index)).map(f64::from));
        });
        let logits = stream.logits();
        let last = points.last_mut().expect("the logits' own");
        last.extend((0..logits.len()).filter_map(|index| logits.get(index as Token)).map(f64::from));
    }

    fn logits(&self) -> &[f64] {
        self.points.last().map_or(&[], Vec::as_slice)
    }
}

fn check(reference: &Model<'_>, blob: &Model<'_>) -> Result<(), ValidateError> {
    if blob.vocab() != reference.vocab() {
        let (blob, reference) = (blob.vocab().len(), reference.vocab().len());
        return Err(ValidateError::Vocabulary { blob, reference });
    }
    if blob.config() != reference.config() {
        let (blob, reference) = (shape(blob.config()), shape(reference.config()));
        return Err(ValidateError::Dimensions { blob, reference });
    }
    Ok(())
}

/// Describes the dimensions that must be equal in both models.
fn shape(config: &Config) -> String {
    format!("n_embd {}, {}", config.n_embd(), describe(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels() {
        let mut noise = Noise::default();
        assert_eq!(noise.snr_db(), None);
        noise.add(10.0, 10.0);
        assert_eq!(noise.snr_db(), None, "equal is exact");
        noise.add(0.0, 1.0);
        assert!((noise.snr_db().unwrap() - 20.0).abs() < 1e-12);
    }
}
