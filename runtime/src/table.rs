//! Enums that a header stores as a number and that people call by a name.

/// Declares an enum with `ALL`, `name`, `code` and `from_code`.
///
/// The order of the variants is part of the blob's format: the code of a variant is its place in the list, as postcard
/// writes it. Add new variants at the end.
macro_rules! table {
    (
        $(#[$attribute:meta])*
        pub enum $table:ident { $($(#[$variant_attribute:meta])* $variant:ident = $name:literal,)* }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum $table { $($(#[$variant_attribute])* $variant,)* }

        impl $table {
            /// All variants, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name that commands, messages and files use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the number that represents the variant in a blob's header.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// Returns the variant with this code, or `None` if there is none.
            pub fn from_code(code: u32) -> Option<Self> {
                Self::ALL.get(code as usize).copied()
            }

            /// Returns the variant with this name, or `None` if there is none.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|variant| variant.name() == name)
            }
        }
    };
}
pub(crate) use table;
