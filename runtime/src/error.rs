//! What can go wrong: a blob that is not a model, a state that is too small, a prompt the model cannot read.
//!
//! All of it is decided before the first character is computed; inference itself cannot fail.

use core::fmt;

/// Why a byte string is not a model this runtime can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// Fewer bytes than the blob says it has, or than any blob has.
    Truncated {
        /// Bytes needed.
        need: usize,
        /// Bytes given.
        have: usize,
    },
    /// More bytes than the blob says it has.
    TrailingBytes {
        /// Bytes after the end.
        extra: usize,
    },
    /// The first four bytes are not [`crate::format::MAGIC`].
    BadMagic {
        /// The bytes found.
        found: [u8; 4],
    },
    /// Written in a version of the format that this runtime does not read.
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
    /// The header is not what the format says (cut short, unknown enum value, text not UTF-8, bytes left over).
    BadHeader,
    /// A dimension lies outside what the runtime supports; see [`crate::config`].
    BadDimension {
        /// Which one.
        what: &'static str,
        /// Its value.
        found: usize,
        /// The smallest value allowed.
        min: usize,
        /// The largest value allowed.
        max: usize,
    },
    /// A character stands twice in the vocabulary.
    DuplicateCharacter {
        /// The character.
        character: char,
    },
    /// The weights take another number of bytes than the dimensions say.
    SlabSizeMismatch {
        /// Bytes the dimensions ask for.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// The state size in the preamble is not what the dimensions say.
    StateSizeMismatch {
        /// 32-bit words the dimensions ask for.
        need: usize,
        /// 32-bit words the preamble says.
        have: usize,
    },
    /// Number format, layout and weight formats that do not go together, or that this build of the runtime leaves out.
    UnsupportedFormat,
    /// A row of weights whose sum could leave the accumulator; see [`crate::quant::ACC_LIMIT`].
    AccumulatorOverflow {
        /// The layer, counted from the characters up; the output layer is the last.
        layer: usize,
        /// The row.
        row: usize,
    },
    /// A weight, multiplier or token that the integer path does not allow; see [`crate::quant`].
    BadValue {
        /// The layer, counted from the characters up; the output layer is the last.
        layer: usize,
    },
    /// Bytes between the parts of the blob that are not zero (one model has one encoding).
    NonZeroPadding,
    /// A weight that is not finite, or so large that sums could overflow.
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
                write!(f, "character {character:?} stands twice in the vocabulary")
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

/// Why a [`crate::State`] cannot serve a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// The state has too few words.
    TooSmall {
        /// 32-bit words the model needs.
        need: usize,
        /// 32-bit words there are.
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

/// Why a text cannot be given to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromptError {
    /// A character that is not in the vocabulary.
    UnknownCharacter {
        /// The character.
        character: char,
    },
    /// The text does not fit into the output buffer or exceeds the length limit.
    TooLong {
        /// Its length: bytes where the buffer is too small, characters where the limit is exceeded.
        len: usize,
        /// The most there may be, in the same unit.
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

/// The chip computes something else than the host that exported the model did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTestError {
    /// CRC-32 of the logits that stands in the blob.
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
