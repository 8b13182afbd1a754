//! Makes layers for each use, for chips whose RAM is scarce. A model keeps only the place where each layer begins.

use crate::config::{Config, LinearShape};
use crate::format::header::Fields;
use crate::format::{Layout, WeightFormat};
use crate::layers::LinearInt;
use crate::limits::MAX_LAYERS;

/// Layer that a step uses.
pub type Linear<'l> = LinearInt<'l>;

/// True if a level that fuses two moves both of its inputs at once. Without a vector unit that does not pay.
pub const EXCHANGES: bool = false;

/// First word of each layer in the slab.
#[derive(Clone, Debug)]
pub struct Layers<'a>([u32; MAX_LAYERS], core::marker::PhantomData<&'a [u32]>);

impl<'a> Layers<'a> {
    /// Returns layers without places.
    pub const fn none() -> Self {
        Self([0; MAX_LAYERS], core::marker::PhantomData)
    }

    /// Stores the places where the layers begin.
    pub const fn built_in(
        _slab: &'a [u32],
        _config: &Config,
        _layout: Layout,
        _formats: &[WeightFormat],
        _shapes: &[LinearShape<'_>; MAX_LAYERS],
        starts: &[u32; MAX_LAYERS],
    ) -> Self {
        Self(*starts, core::marker::PhantomData)
    }

    /// Stores the place where a layer begins.
    pub fn set(&mut self, index: usize, start: usize, _linear: LinearInt<'a>, _columns: usize) -> Option<()> {
        *self.0.get_mut(index)? = start as u32;
        Some(())
    }

    /// Makes a layer.
    // Not inlined, so that it is in flash once: it is called for levels and for the output layer.
    #[inline(never)]
    pub fn get<'l>(&'l self, slab: &'l [u32], header: &Fields<'_>, index: usize, fan_out: usize) -> Linear<'l> {
        let format = header.weights.get(index).copied().unwrap_or(WeightFormat::Int8);
        let start = self.0.get(index).map_or(0, |&start| start as usize);
        LinearInt::new(&header.config, header.layout, format, fan_out, slab.get(start..).unwrap_or(&[]))
    }

    /// Returns the first word of each layer in the slab.
    #[cfg(feature = "alloc")]
    pub fn starts(&self, _slab: &[u32]) -> [u32; MAX_LAYERS] {
        self.0
    }
}
