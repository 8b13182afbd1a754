//! The vector units of x86-64, a fenced file for each. See [`super::host`] for what the kernels compute.

pub mod avx2;
pub mod avx512;

/// Safe methods for functions that need the instructions of a unit; the unit itself is the proof that they exist.
macro_rules! methods {
    ($unit:ident: $($(#[$attribute:meta])* fn $function:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        impl $unit {
            $($(#[$attribute])*
            #[inline]
            pub fn $function(self, $($argument: $type),*) $(-> $result)? {
                // SAFETY: `self` exists only because `detect` found the instructions for which the function is compiled.
                unsafe { $function($($argument),*) }
            })*
        }
    };
}
use methods;
