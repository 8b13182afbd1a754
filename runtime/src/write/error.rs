use core::fmt;

use crate::error::FormatError;

/// Reason why a network cannot be written as a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// A reader would refuse the blob.
    Refused(FormatError),
    /// The length of an array does not match the dimensions.
    WrongLength {
        /// Name of the array.
        what: &'static str,
        /// Length of the array.
        found: usize,
        /// Length that follows from the dimensions.
        expected: usize,
    },
    /// A part of the blob is too long for the field that holds its length.
    TooLong {
        /// Name of the part.
        what: &'static str,
        /// Length of the part.
        len: usize,
    },
    /// Only integer models can have pairs, or a choice of layouts.
    NotInteger,
    /// Pairs need a level 0 that fuses two characters, and this model's fuses more.
    NotPairs,
    /// Halves need a level 1 that fuses two pairs, and this model has none.
    NotHalves,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Refused(error) => error.fmt(f),
            Self::WrongLength { what, found, expected } => {
                write!(f, "{found} {what}, the dimensions ask for {expected}")
            }
            Self::TooLong { what, len } => write!(f, "{what} is too long for a blob: {len}"),
            Self::NotInteger => write!(f, "the model or the layout is in f32: only integer models can be rearranged"),
            Self::NotPairs => write!(f, "level 0 of the model fuses more than two characters: it has no pairs"),
            Self::NotHalves => write!(f, "the model has no level 1 that fuses two: it has no halves"),
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<FormatError> for EncodeError {
    fn from(error: FormatError) -> Self {
        Self::Refused(error)
    }
}
