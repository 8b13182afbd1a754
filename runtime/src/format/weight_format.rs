use crate::table::table;

table! {
    /// Storage format of the weights of one layer.
    pub enum WeightFormat {
        /// Single precision.
        F32 = "f32",
        /// Row of 8-bit pre-activations per position and character, which combines embedding and weights. Only for
        /// level 0.
        Table = "table",
        /// 8 bits per weight.
        Int8 = "int8",
        /// 4 bits per weight.
        Int4 = "int4",
        /// Output of level 0 for every pair of characters, in 8 bits, so that nothing is computed. Only for a level 0
        /// with a fuse of two.
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
