//! Outputs that a model shows: the logits, and the output of a level.

use crate::quant::{ACTIVATION_MAX, LOGIT_FRACTION_BITS};
use crate::vocab::Token;

/// Logits for the next character, one per token.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Logits<'a> {
    /// Logits of a model in single precision, in nats.
    F32(&'a [f32]),
    /// Logits of an integer model, with [`LOGIT_FRACTION_BITS`]: in units of 1/1024 nat.
    Fixed(&'a [i32]),
}

impl<'a> From<&'a [f32]> for Logits<'a> {
    fn from(logits: &'a [f32]) -> Self {
        Self::F32(logits)
    }
}

impl<'a> From<&'a [i32]> for Logits<'a> {
    fn from(logits: &'a [i32]) -> Self {
        Self::Fixed(logits)
    }
}

impl Logits<'_> {
    /// Returns the number of tokens.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(logits) => logits.len(),
            Self::Fixed(logits) => logits.len(),
        }
    }

    /// Returns the logit of a token in nats, for hosts, or `None` outside the vocabulary.
    pub fn get(&self, token: Token) -> Option<f32> {
        match self {
            Self::F32(logits) => logits.get(usize::from(token)).copied(),
            Self::Fixed(logits) => {
                let one = (1 << LOGIT_FRACTION_BITS) as f32;
                logits.get(usize::from(token)).map(|&logit| logit as f32 / one)
            }
        }
    }

    /// Calls `each` with the bytes of every logit, little-endian, in the order of the tokens. Checksums are computed
    /// from these bytes.
    pub fn for_each_bytes(&self, mut each: impl FnMut([u8; 4])) {
        match self {
            Self::F32(logits) => logits.iter().for_each(|logit| each(logit.to_le_bytes())),
            Self::Fixed(logits) => logits.iter().for_each(|logit| each(logit.to_le_bytes())),
        }
    }
}

/// Output of a level: the values of its newest node, after the activation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Activations<'a> {
    /// Values of a model in single precision.
    F32(&'a [f32]),
    /// Values of an integer model, in units of 1/[`ACTIVATION_MAX`].
    Fixed(&'a [i8]),
}

impl<'a> From<&'a [f32]> for Activations<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::F32(values)
    }
}

impl<'a> From<&'a [i8]> for Activations<'a> {
    fn from(values: &'a [i8]) -> Self {
        Self::Fixed(values)
    }
}

impl Activations<'_> {
    /// Returns the number of values: the width of the level.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::Fixed(values) => values.len(),
        }
    }

    /// Returns a value as a number, for hosts, or `None` beyond the width.
    pub fn get(&self, index: usize) -> Option<f32> {
        match self {
            Self::F32(values) => values.get(index).copied(),
            Self::Fixed(values) => values.get(index).map(|&value| f32::from(value) / ACTIVATION_MAX as f32),
        }
    }
}
