//! Keeps all layers ready, for cores with enough memory for them.

use core::mem::ManuallyDrop;

use crate::config::{Config, LinearShape};
use crate::format::header::Fields;
use crate::format::{Layout, WeightFormat};
use crate::layers::{LinearInt, Stored};
use crate::limits::MAX_LAYERS;
use crate::model::numbers::Layer;

/// Layer that a step uses.
pub type Linear<'l> = &'l LinearInt<'l>;

/// True if a level that fuses two moves both of its inputs at once, provided that its kernel can.
pub const EXCHANGES: bool = true;

/// Layers of a network.
#[derive(Clone, Debug)]
pub struct Layers<'a>([LinearInt<'a>; MAX_LAYERS]);

impl<'a> Layers<'a> {
    /// Returns empty layers.
    pub const fn none() -> Self {
        Self([const { LinearInt::none() }; MAX_LAYERS])
    }

    /// Makes every layer. `starts` are the first words of the layers in the slab.
    pub const fn built_in(
        slab: &'a [u32],
        config: &Config,
        layout: Layout,
        formats: &[WeightFormat],
        shapes: &[LinearShape<'_>; MAX_LAYERS],
        starts: &[u32; MAX_LAYERS],
    ) -> Self {
        let mut layers = [const { LinearInt::none() }; MAX_LAYERS];
        let mut index = 0;
        while index < formats.len() {
            let (_, words) = slab.split_at(starts[index] as usize);
            let shape = &shapes[index];
            let linear = LinearInt::new(config, layout, formats[index], shape.fan_out, words);
            let columns = Stored::new(&linear, shape).columns();
            // An empty layer owns nothing. Not a plain assignment, because no destructor can run at compile time.
            let _ = ManuallyDrop::new(core::mem::replace(&mut layers[index], linear.keep(columns)));
            index += 1;
        }
        Self(layers)
    }

    /// Sets a layer whose weights begin at word `start` of the slab.
    pub fn set(&mut self, index: usize, _start: usize, linear: LinearInt<'a>, columns: usize) -> Option<()> {
        *self.0.get_mut(index)? = linear.keep(columns);
        Some(())
    }

    /// Returns a layer.
    #[inline]
    pub fn get<'l>(&'l self, _slab: &'l [u32], _header: &Fields<'_>, index: usize, _fan_out: usize) -> Linear<'l> {
        static NONE: LinearInt<'static> = LinearInt::none();
        self.0.get(index).unwrap_or(&NONE)
    }

    /// Returns the first word of each layer in the slab.
    #[cfg(feature = "alloc")]
    pub fn starts(&self, slab: &[u32]) -> [u32; MAX_LAYERS] {
        core::array::from_fn(|index| self.0.get(index).map_or(0, |layer| (slab.len() - layer.words().len()) as u32))
    }
}

impl<'n> Layer for &LinearInt<'n> {
    type Cell = i8;
    type Word = u32;
    type Logit = i32;
    type Input<'x> = crate::layers::Input<'x>;

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn input<'x>(&self, words: &'x mut [u32]) -> Self::Input<'x> {
        Layer::input(*self, words)
    }

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn exchange<'x>(
        &self,
        newest: &[i8],
        slot: &mut [i8],
        words: &'x mut [u32],
    ) -> Result<Self::Input<'x>, &'x mut [u32]> {
        Layer::exchange(*self, newest, slot, words)
    }

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn input_of<'x>(&self, x: &'x mut [i8], words: &'x mut [u32]) -> Self::Input<'x> {
        Layer::input_of(*self, x, words)
    }

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn level(&self, input: Self::Input<'_>, out: &mut [i8]) {
        Layer::level(*self, input, out);
    }

    #[cfg_attr(kernel = "mve", inline(always))]
    #[cfg_attr(not(kernel = "mve"), inline)]
    fn output(&self, input: Self::Input<'_>, logits: &mut [i32]) {
        Layer::output(*self, input, logits);
    }
}
