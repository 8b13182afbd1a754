//! Limits of a model's dimensions, and their checks.

use crate::activation::Activation;
use crate::error::FormatError;

/// Maximum number of levels of a model. Eight levels with a fuse of two see the last 256 characters.
pub const MAX_LEVELS: usize = 8;
/// Maximum number of neighbours that a level fuses.
pub const MAX_FUSE: usize = 64;
/// Maximum context length, in characters. It limits the rings, and thereby every size computed from a header.
pub const MAX_BLOCK_SIZE: usize = 1024;
/// Maximum number of rows of a level, and maximum size of an embedding.
pub const MAX_WIDTH: usize = 4096;
/// Maximum number of columns of a weight matrix. With [`MAX_WIDTH`] it keeps every size in bytes below 2^31, also on
/// 32-bit chips.
pub const MAX_FAN_IN: usize = 1 << 16;
/// Maximum size of a vocabulary: 255 characters and the boundary, so that a [`crate::Token`] fits a byte.
pub const MAX_VOCAB_SIZE: usize = 256;
/// Minimum size of a vocabulary: 2 characters and the boundary.
pub const MIN_VOCAB_SIZE: usize = 3;
/// Maximum number of layers of a network: the levels and the output layer.
pub const MAX_LAYERS: usize = MAX_LEVELS + 1;
/// Maximum number of tokens of a golden text.
pub const MAX_GOLDEN: usize = 1024;

/// Name, smallest and largest value of a dimension.
pub(crate) struct Limits {
    what: &'static str,
    min: usize,
    max: usize,
}

/// A dimension with limits that hold for every model.
///
/// It is a small number, because passing the address of the limits would take two instructions at every check.
#[derive(Clone, Copy)]
pub(crate) enum Dimension {
    VocabSize,
    NEmbd,
    Levels,
    Fuse,
    Width,
    GatedWidth,
    FanIn,
    BlockSize,
    Golden,
}

impl Dimension {
    /// Returns the dimension that limits the width of a level with this activation.
    pub const fn width_of_level(activation: Activation) -> Self {
        if activation.rows_per_value() == 1 { Self::Width } else { Self::GatedWidth }
    }
}

/// Limits in the order of [`Dimension`].
static LIMITS: [Limits; 9] = [
    Limits::new("vocab_size", MIN_VOCAB_SIZE, MAX_VOCAB_SIZE),
    Limits::new("n_embd", 1, MAX_WIDTH),
    Limits::new("number of levels", 1, MAX_LEVELS),
    Limits::new("fuse factor", 2, MAX_FUSE),
    Limits::new("level width", 1, MAX_WIDTH),
    Limits::new("level width", 1, MAX_WIDTH / Activation::Gated.rows_per_value()),
    Limits::new("fan_in", 1, MAX_FAN_IN),
    Limits::new("block_size", 1, MAX_BLOCK_SIZE),
    Limits::new("length of the golden text", 0, MAX_GOLDEN),
];

impl Limits {
    pub const fn new(what: &'static str, min: usize, max: usize) -> Self {
        Self { what, min, max }
    }

    #[inline]
    pub fn check(&'static self, found: usize) -> Result<(), Violation> {
        if found >= self.min && found <= self.max { Ok(()) } else { Err(Violation(self, found)) }
    }
}

/// Chain of checks that keeps the first violation, in two words, which remain in registers from check to check.
pub(crate) struct Checks(Result<(), Violation>);

impl Checks {
    #[inline]
    pub const fn new() -> Self {
        Self(Ok(()))
    }

    #[inline(never)]
    pub fn and(self, dimension: Dimension, found: usize) -> Self {
        match LIMITS.get(dimension as usize) {
            Some(limits) if self.0.is_ok() => Self(limits.check(found)),
            _ => self,
        }
    }

    #[inline]
    pub fn done(self) -> Result<(), Violation> {
        self.0
    }
}

/// A dimension outside its limits: the contents of [`FormatError::BadDimension`] in two words.
pub(crate) struct Violation(&'static Limits, usize);

impl From<Violation> for FormatError {
    fn from(Violation(&Limits { what, min, max }, found): Violation) -> Self {
        Self::BadDimension { what, found, min, max }
    }
}
