use crate::table::table;

table! {
    /// How the weights of one layer are stored.
    pub enum WeightFormat {
        /// Single precision.
        F32 = "f32",
        /// Level 0 only: a row of 8-bit pre-activations per position and character, embedding and weights in one.
        Table = "table",
        /// 8 bits per weight.
        Int8 = "int8",
        /// 4 bits per weight.
        Int4 = "int4",
        /// Level 0 of two characters only: the output of the level for every pair of them, in 8 bits. Nothing is left to
        /// compute.
        Pairs = "pairs",
    }
}

impl WeightFormat {
    /// Returns whether a layer in this format reads characters instead of their embeddings.
    pub const fn reads_tokens(self) -> bool {
        match self {
            Self::Table | Self::Pairs => true,
            Self::F32 | Self::Int8 | Self::Int4 => false,
        }
    }

    /// Returns the largest magnitude of a weight in integers.
    pub const fn weight_max(self) -> u32 {
        match self {
            Self::Int4 => 7,
            Self::F32 | Self::Table | Self::Int8 | Self::Pairs => 127,
        }
    }
}
