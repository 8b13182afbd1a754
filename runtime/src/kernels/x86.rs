//! The vector units of x86-64, a fenced file for each. See [`super::host`] for what the kernels compute.

pub mod avx2;
pub mod avx512;

/// `127 * tanh(i / 64)` as in [`crate::quant::tanh_i8`], a word each so that a gather can take them; the last entry stands
/// for all beyond the table.
#[cfg(feature = "int8")]
static TANH: [i32; 257] = {
    let mut table = [127; 257];
    let mut index = 0;
    while index < 256 {
        table[index] = crate::quant::TANH[index] as i32;
        index += 1;
    }
    table
};

/// Safe methods for functions that need the instructions of a unit; the unit itself is the proof that they exist.
macro_rules! methods {
    ($unit:ident: $($(#[$attribute:meta])* fn $function:ident($($argument:ident: $type:ty),* $(,)?);)*) => {
        impl $unit {
            $($(#[$attribute])*
            #[inline]
            pub fn $function(self, $($argument: $type),*) {
                // SAFETY: `self` exists only because `detect` found the instructions for which the function is compiled.
                unsafe { $function($($argument),*) }
            })*
        }
    };
}
use methods;
