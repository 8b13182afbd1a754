use crate::table::table;

table! {
    /// The order of the weights in the slab.
    pub enum Layout {
        /// Eight rows interleaved, f32; see [`crate::kernels`].
        Rows8 = "rows8",
        /// Row after row, integers.
        RowMajor = "row-major",
        /// Integers for cores with dual 16-bit multiplications: Cortex-M4, M7, M33.
        Dual16 = "dual16",
        /// Integers for cores that multiply 32 bits by 32 to 32: Cortex-M0, M0+, M3.
        Lanes16 = "lanes16",
        /// Integers for cores with vectors of 128 bits: Cortex-M55, M85.
        Vector128 = "vector128",
    }
}

impl Layout {
    /// The layouts of integer weights.
    pub const INTEGERS: &'static [Self] = &[Self::RowMajor, Self::Dual16, Self::Lanes16, Self::Vector128];

    /// Returns whether the layout holds integer weights.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Self::Rows8)
    }

    /// Returns whether this build of the runtime reads it. The feature has the layout's name.
    pub const fn is_built(self) -> bool {
        match self {
            Self::Rows8 => cfg!(feature = "f32"),
            Self::RowMajor => cfg!(feature = "row-major"),
            Self::Dual16 => cfg!(feature = "dual16"),
            Self::Lanes16 => cfg!(feature = "lanes16"),
            Self::Vector128 => cfg!(feature = "vector128"),
        }
    }
}
