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
        /// Sums of level 1 in two halves, one for every pair of the older characters and one for every pair of the
        /// newer characters, in 24 bits. Only for a level 1 with a fuse of two, above a level 0 in [`Self::Pairs`].
        Halves = "halves",
    }
}

impl WeightFormat {
    /// Returns whether a layer in this format reads characters instead of their embeddings.
    pub const fn reads_tokens(self) -> bool {
        match self {
            Self::Table | Self::Pairs | Self::Halves => true,
            Self::F32 | Self::Int8 | Self::Int4 => false,
        }
    }

    /// Returns the feature that a build needs for this format in addition to that of the precision, or `None`.
    pub const fn feature(self) -> Option<&'static str> {
        match self {
            Self::F32 | Self::Table | Self::Int8 | Self::Int4 | Self::Pairs => None,
            Self::Halves => Some("tables"),
        }
    }

    /// Returns whether this build of the runtime has that feature.
    pub const fn is_built(self) -> bool {
        match self {
            Self::F32 | Self::Table | Self::Int8 | Self::Int4 | Self::Pairs => true,
            Self::Halves => cfg!(feature = "tables"),
        }
    }

    /// Returns the largest magnitude of a weight in integers.
    pub const fn weight_max(self) -> u32 {
        match self {
            Self::Int4 => 7,
            Self::F32 | Self::Table | Self::Int8 | Self::Pairs | Self::Halves => 127,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_need_a_feature_of_their_own() {
        for &format in WeightFormat::ALL {
            let feature = (format == WeightFormat::Halves).then_some("tables");
            assert_eq!(format.feature(), feature, "{}", format.name());
        }
        assert!(include_str!("../../Cargo.toml").contains("\ntables = "));
    }
}
