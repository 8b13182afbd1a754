use crate::table::table;

table! {
    /// The number format of a model's weights and activations.
    pub enum Precision {
        /// IEEE 754 single precision throughout.
        F32 = "f32",
        /// Activations in 8 bits, weights in 8; see [`crate::quant`].
        Int8 = "int8",
        /// Activations in 8 bits, weights of the inner levels in 4.
        Int4 = "int4",
    }
}

impl Precision {
    /// Returns whether the model computes in integers.
    pub const fn is_integer(self) -> bool {
        match self {
            Self::F32 => false,
            Self::Int8 | Self::Int4 => true,
        }
    }

    /// Returns whether this build of the runtime computes in it. The feature has the precision's name.
    pub const fn is_built(self) -> bool {
        match self {
            Self::F32 => cfg!(feature = "f32"),
            Self::Int8 => cfg!(feature = "int8"),
            Self::Int4 => cfg!(feature = "int4"),
        }
    }
}
