//! Buffers of numbers that kernels read as they are: f32, and tiles of many words.

use super::numbers::{Input, Scratch};
use crate::rows::part;

/// Input and logits in separate buffers.
pub(crate) struct Apart<'s, W, L> {
    pub input: &'s mut [W],
    pub logits: &'s mut [L],
}

impl<W, L> Scratch for Apart<'_, W, L> {
    type Word = W;
    type Logit = L;

    #[inline]
    fn input(&mut self) -> &mut [W] {
        self.input
    }

    #[inline]
    fn input_and_logits(&mut self) -> (&mut [W], &mut [L]) {
        (self.input, self.logits)
    }

    #[inline]
    fn logits(&self) -> &[L] {
        self.logits
    }

    #[inline]
    fn logits_mut(&mut self) -> &mut [L] {
        self.logits
    }
}

/// Input whose positions are cells side by side.
pub(crate) struct SideBySide<'x, C> {
    pub cells: &'x mut [C],
    /// Number of cells pushed so far.
    pub len: usize,
}

impl<C> SideBySide<'_, C> {
    /// Returns the cells pushed so far.
    #[inline]
    pub fn cells(&self) -> &[C] {
        part(self.cells, 0, self.len)
    }
}

impl<C: Copy> Input for SideBySide<'_, C> {
    type Cell = C;

    fn push(&mut self, x: &[C], _: bool) {
        let room = self.cells.get_mut(self.len..).unwrap_or(&mut []);
        room.iter_mut().zip(x).for_each(|(to, &from)| *to = from);
        self.len += x.len();
    }
}
