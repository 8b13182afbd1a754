//! The kinds of number that the walk computes with: f32, integers, and tiles of many words on a host. A *cell* is one
//! element of a ring: an f32, an i8, or a tile.

use super::state::Buffers;
use super::walk::Walk;
use crate::format::header::Fields;

/// Network in one kind of number. Its sizes follow from the header, which must always be the same one.
pub(crate) trait Numbers {
    /// Characters that [`Self::embed`] reads.
    type Characters: ?Sized;
    /// Element of a ring.
    type Cell: Copy;
    /// Element of a layer's input, in the form that its kernel reads.
    type Word;
    /// Element of the output layer's output.
    type Logit;
    /// Buffers of the layers' input and of the logits.
    type Scratch<'s>: Scratch<Word = Self::Word, Logit = Self::Logit>;
    /// Linear layer with its activation.
    type Layer<'l>: Layer<Cell = Self::Cell, Word = Self::Word, Logit = Self::Logit>
    where
        Self: 'l;
    /// First level that the walk computes; [`Self::embed`] computes the levels below.
    const FIRST_LEVEL: usize = 0;
    /// Alignment of every ring, in cells.
    const RING_ALIGN: usize = 1;

    /// Returns the number of cells that hold `values` values.
    fn cells(values: usize) -> usize {
        values
    }

    /// Writes the input of the first level to the front of `out`, and returns its number of cells.
    fn embed(&self, header: &Fields<'_>, characters: &Self::Characters, out: &mut [Self::Cell]) -> usize;

    /// Returns layer `index`, counted from the characters up; the output layer is the last.
    fn layer(&self, header: &Fields<'_>, index: usize, fan_out: usize) -> Self::Layer<'_>;

    /// Takes a character through the first levels if they are looked up together, and passes their outputs to
    /// `observe`. Returns the progress after them, or `None` if they are computed one by one.
    #[inline]
    fn look_up(
        &self,
        _header: &Fields<'_>,
        _characters: &Self::Characters,
        _start: bool,
        _buffers: &mut Buffers<'_, Self>,
        _observe: &mut impl FnMut(usize, &[Self::Cell]),
    ) -> Option<Walk> {
        None
    }

    /// Returns the number of cells of each entry in the ring above a level of `values` values.
    #[inline]
    fn cells_of(&self, _header: &Fields<'_>, _index: usize, values: usize) -> usize {
        Self::cells(values)
    }

    /// Returns the output of a level from an entry in the ring above.
    #[inline]
    fn output_of<'c>(&'c self, _header: &Fields<'_>, _index: usize, cells: &'c [Self::Cell]) -> &'c [Self::Cell] {
        cells
    }

    /// Copies cells. The longer slice keeps its rest.
    #[inline]
    fn copy(from: &[Self::Cell], to: &mut [Self::Cell]) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
    }
}

/// A linear layer.
pub(crate) trait Layer {
    type Cell: Copy;
    type Word;
    type Logit;
    /// Input of the layer, under construction.
    type Input<'x>: Input<Cell = Self::Cell>;

    /// Returns an empty input in `words`.
    fn input<'x>(&self, words: &'x mut [Self::Word]) -> Self::Input<'x>;

    /// Returns the input of a level that fuses two: the entry at the front of `slot`, then `newest`, which replaces
    /// that entry. Does nothing and returns `words` if that is not faster than adding the two one by one.
    #[inline]
    fn exchange<'x>(
        &self,
        newest: &[Self::Cell],
        slot: &mut [Self::Cell],
        words: &'x mut [Self::Word],
    ) -> Result<Self::Input<'x>, &'x mut [Self::Word]> {
        let _ = (newest, slot);
        Err(words)
    }

    /// Returns the input that has `x` as its only position, in `x` itself if that saves a copy.
    fn input_of<'x>(&self, x: &'x mut [Self::Cell], words: &'x mut [Self::Word]) -> Self::Input<'x>;

    /// Writes the activations of a level to the front of `out`; cells after its width are unspecified.
    fn level(&self, input: Self::Input<'_>, out: &mut [Self::Cell]);

    /// Writes the logits.
    fn output(&self, input: Self::Input<'_>, logits: &mut [Self::Logit]);
}

/// Input of a layer, to which positions are added one by one, oldest first.
pub(crate) trait Input {
    type Cell: Copy;

    /// Adds a position.
    fn push(&mut self, x: &[Self::Cell], last: bool);
}

/// Buffers of a layer's input and of the logits.
pub(crate) trait Scratch {
    type Word;
    type Logit;

    /// Returns the input of a level.
    fn input(&mut self) -> &mut [Self::Word];

    /// Returns the input of the output layer, and the logits with their padding.
    fn input_and_logits(&mut self) -> (&mut [Self::Word], &mut [Self::Logit]);

    /// Returns the logits with their padding.
    fn logits(&self) -> &[Self::Logit];

    /// Returns the logits with their padding, for changes.
    fn logits_mut(&mut self) -> &mut [Self::Logit];
}
