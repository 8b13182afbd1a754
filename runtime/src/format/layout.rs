use crate::table::table;

table! {
    /// Order of the weights in the slab.
    pub enum Layout {
        /// f32, eight rows interleaved; see [`crate::kernels`].
        Rows8 = "rows8",
        /// Integers, row after row.
        RowMajor = "row-major",
        /// Integers for cores with dual 16-bit multiplications: Cortex-M4, M7, M33.
        Dual16 = "dual16",
        /// Integers for cores whose multiplication returns the low 32 bits of a product: Cortex-M0, M0+, M3 and
        /// RISC-V (RV32IM).
        Lanes16 = "lanes16",
        /// Integers for cores with vectors of 128 bits: Cortex-M55, M85.
        Vector128 = "vector128",
    }
}

impl Layout {
    /// All layouts of integer weights.
    pub const INTEGERS: &'static [Self] = &[Self::RowMajor, Self::Dual16, Self::Lanes16, Self::Vector128];

    /// Returns whether the layout holds integer weights.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Self::Rows8)
    }

    /// Returns whether this build of the runtime can read this layout. The feature has the layout's name.
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
