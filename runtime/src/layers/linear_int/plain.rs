//! Placeholders for cores without a vector unit: no data is kept for a layer, and nothing is computed here.

use core::marker::PhantomData;

use super::{Input, LinearInt};
use crate::kernels::Out;

/// Placeholder: nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'n>(PhantomData<&'n ()>);

impl Kept<'_> {
    /// Returns the placeholder.
    #[inline]
    pub const fn none() -> Self {
        Self(PhantomData)
    }
}

impl LinearInt<'_> {
    /// Adds the data that the vector unit keeps, here none. The layer's rows have that many columns.
    #[inline]
    #[allow(dead_code, reason = "small chips store no layers")]
    pub(crate) const fn keep(self, _columns: usize) -> Self {
        self
    }

    /// Computes all rows on the vector unit. Returns `out` if the unit cannot.
    #[inline]
    pub(super) fn run_on_unit<'o>(&self, _input: &Input<'_>, out: Out<'o>) -> Option<Out<'o>> {
        let Kept(PhantomData) = self.kept;
        Some(out)
    }

    /// Computes a level on the vector unit. Returns whether the unit can.
    #[inline]
    pub(super) fn level_on_unit(&self, _input: &Input<'_>, _out: &mut [i8]) -> bool {
        false
    }
}
