//! Activations: the functions between a level's linear layer and the next level.

use crate::table::table;

table! {
    /// The function between a level's linear layer and the next level.
    pub enum Activation {
        /// Hyperbolic tangent, as in the lecture.
        Tanh = "tanh",
        /// WaveNet's gated unit, `tanh(a) * sigmoid(b)`. A value takes two rows of the matrix: `a`, and `b / 2` one width
        /// of the level later.
        ///
        /// `sigmoid(b) = (1 + tanh(b / 2)) / 2`. The inner half is part of the weights, as BatchNorm is. What is left to
        /// compute is `tanh` of all rows, then `value * (1 + gate) / 2`: `quant::gate` in integers, `math::gate` in f32.
        /// (van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, equation 2; "WaveNet", 2016,
        /// equation 2.)
        Gated = "gated",
    }
}

impl Activation {
    /// Returns the number of rows of the weight matrix per value of a level.
    pub const fn rows_per_value(self) -> usize {
        match self {
            Self::Tanh => 1,
            Self::Gated => 2,
        }
    }
}
