//! Errors: a blob that is not a model, a state that is too small, a prompt that the model cannot read.
//!
//! All errors occur before the first character is computed; inference itself cannot fail.

use core::fmt;

/// Reason why some bytes are not a model that this runtime can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FormatError {
    /// Fewer bytes than the preamble says, or fewer than any blob has.
    Truncated {
        /// Bytes needed.
        need: usize,
        /// Bytes found.
        have: usize,
    },
    /// More bytes than the preamble says.
    TrailingBytes {
        /// Bytes after the end.
        extra: usize,
    },
    /// The first four bytes are not [`crate::format::MAGIC`].
    BadMagic {
        /// The bytes found.
        found: [u8; 4],
    },
    /// The blob has a format version that this runtime does not read.
    UnsupportedVersion {
        /// The version found.
        found: u16,
        /// The version read by this runtime.
        supported: u16,
    },
    /// The bytes do not start at a multiple of four; see [`crate::include_blob!`].
    Misaligned {
        /// The alignment needed, in bytes.
        need: usize,
    },
    /// The contents do not match the stored checksum.
    ChecksumMismatch {
        /// CRC-32 stored in the blob.
        stored: u32,
        /// CRC-32 of the bytes.
        computed: u32,
    },
    /// The header does not follow the format: cut short, an unknown enum value, text that is not UTF-8, or bytes left
    /// over.
    BadHeader,
    /// A dimension is outside the limits of the runtime; see [`crate::limits`].
    BadDimension {
        /// Name of the dimension.
        what: &'static str,
        /// Value of the dimension.
        found: usize,
        /// The smallest value allowed.
        min: usize,
        /// The largest value allowed.
        max: usize,
    },
    /// A character is in the vocabulary twice.
    DuplicateCharacter {
        /// The character.
        character: char,
    },
    /// The weights take a number of bytes that does not match the dimensions.
    SlabSizeMismatch {
        /// Bytes that follow from the dimensions.
        need: usize,
        /// Bytes found.
        have: usize,
    },
    /// The state size in the preamble does not match the dimensions.
    StateSizeMismatch {
        /// 32-bit words that follow from the dimensions.
        need: usize,
        /// 32-bit words in the preamble.
        have: usize,
    },
    /// The precision, layout and weight formats do not fit together, or this build of the runtime does not include
    /// them.
    UnsupportedFormat,
    /// The sum of a row of weights could leave the accumulator; see [`crate::quant::ACC_LIMIT`].
    AccumulatorOverflow {
        /// Layer, counted from the characters up; the output layer is the last.
        layer: usize,
        /// Row of the weight matrix.
        row: usize,
    },
    /// The integer path does not allow a weight, multiplier or token of this layer; see [`crate::quant`].
    BadValue {
        /// Layer, counted from the characters up; the output layer is the last.
        layer: usize,
    },
    /// Padding bytes of the blob are not zero. (Each model has exactly one encoding.)
    NonZeroPadding,
    /// A weight is not finite, or so large that sums could overflow.
    BadWeight {
        /// Index of the weight in the slab, counted in `f32`.
        index: usize,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { need, have } => write!(f, "blob is cut short: {have} bytes, {need} needed"),
            Self::TrailingBytes { extra } => write!(f, "{extra} bytes after the end of the blob"),
            Self::BadMagic { found } => write!(f, "not a model blob: it begins with {found:02x?}"),
            Self::UnsupportedVersion { found, supported } => {
                write!(f, "blob has format version {found}, this runtime reads version {supported}")
            }
            Self::Misaligned { need } => write!(f, "blob does not lie at a multiple of {need} bytes"),
            Self::ChecksumMismatch { stored, computed } => {
                write!(f, "blob is damaged: checksum {computed:08x}, {stored:08x} stored")
            }
            Self::BadHeader => write!(f, "blob header is not readable"),
            Self::BadDimension { what, found, min, max } => {
                write!(f, "{what} is {found}, must be {min} to {max}")
            }
            Self::DuplicateCharacter { character } => {
                write!(f, "character {character:?} is in the vocabulary twice")
            }
            Self::SlabSizeMismatch { need, have } => {
                write!(f, "weights take {have} bytes, the dimensions ask for {need}")
            }
            Self::StateSizeMismatch { need, have } => {
                write!(f, "preamble says {have} words of state, the dimensions ask for {need}")
            }
            Self::UnsupportedFormat => write!(f, "blob is in a number format that this runtime was not built for"),
            Self::AccumulatorOverflow { layer, row } => {
                write!(f, "row {row} of layer {layer} could overflow its sum")
            }
            Self::BadValue { layer } => write!(f, "layer {layer} has a value that its format does not allow"),
            Self::NonZeroPadding => write!(f, "padding bytes are not zero"),
            Self::BadWeight { index } => write!(f, "weight {index} is not finite or too large"),
        }
    }
}

impl core::error::Error for FormatError {}

/// Reason why a [`crate::State`] does not fit a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StateError {
    /// The state has too few words.
    TooSmall {
        /// 32-bit words that the model needs.
        need: usize,
        /// 32-bit words in the state.
        have: usize,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooSmall { need, have } => {
                write!(f, "state is too small: {have} words, the model needs State::<{need}>")
            }
        }
    }
}

impl core::error::Error for StateError {}

/// Reason why a model cannot read a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PromptError {
    /// The text has a character that is not in the vocabulary.
    UnknownCharacter {
        /// The character.
        character: char,
    },
    /// The text does not fit into the output buffer, or it exceeds the length limit.
    TooLong {
        /// Length of the text: in bytes if the buffer is too small, in characters if the limit is exceeded.
        len: usize,
        /// Largest length allowed, in the same unit.
        max: usize,
    },
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownCharacter { character } => {
                write!(f, "character {character:?} is not in the model's vocabulary")
            }
            Self::TooLong { len, max } => write!(f, "text is too long: {len}, at most {max}"),
        }
    }
}

impl core::error::Error for PromptError {}

/// The results on this machine differ from those on the host that exported the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SelfTestError {
    /// CRC-32 of the logits that is stored in the blob.
    pub expected: u32,
    /// CRC-32 of the logits computed.
    pub computed: u32,
}

impl fmt::Display for SelfTestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, computed } = self;
        write!(f, "self-test failed: logits have checksum {computed:08x}, {expected:08x} expected")
    }
}

impl core::error::Error for SelfTestError {}

/// Any error of this crate, for callers that handle them in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The blob was refused.
    Format(FormatError),
    /// The state is too small.
    State(StateError),
    /// The prompt was refused.
    Prompt(PromptError),
    /// The self-test failed.
    SelfTest(SelfTestError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => error.fmt(f),
            Self::State(error) => error.fmt(f),
            Self::Prompt(error) => error.fmt(f),
            Self::SelfTest(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl From<PromptError> for Error {
    fn from(error: PromptError) -> Self {
        Self::Prompt(error)
    }
}

impl From<SelfTestError> for Error {
    fn from(error: SelfTestError) -> Self {
        Self::SelfTest(error)
    }
}
