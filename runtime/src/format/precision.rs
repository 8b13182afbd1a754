use crate::table::table;

table! {
    /// Number format of a model's weights and activations.
    pub enum Precision {
        /// IEEE 754 single precision for weights and activations.
        F32 = "f32",
        /// 8-bit activations and 8-bit weights; see [`crate::quant`].
        Int8 = "int8",
        /// 8-bit activations; 4-bit weights in the inner levels.
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

    /// Returns whether this build of the runtime can compute in this precision. The feature has the precision's name.
    pub const fn is_built(self) -> bool {
        match self {
            Self::F32 => cfg!(feature = "f32"),
            Self::Int8 => cfg!(feature = "int8"),
            Self::Int4 => cfg!(feature = "int4"),
        }
    }
}
