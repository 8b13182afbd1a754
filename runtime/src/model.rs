//! A model, the buffers it runs in, and the two together.

mod net_f32;
mod state;
mod stream;

#[cfg(feature = "alloc")]
pub use state::HeapState;
pub use state::{State, StateMut, state_words};
pub use stream::Stream;

use net_f32::NetF32;

use crate::config::Config;
use crate::error::FormatError;
use crate::format::{self, Layout, MAX_WEIGHT, Precision, Provenance};
use crate::vocab::Vocab;

/// A model, read in place from its blob.
///
/// [`Model::new`] checks everything once; afterwards nothing about the model can fail. The guarantee holds as long as
/// the bytes stay what they were, which the borrow ensures for safe code (a flash page erased under a running
/// program voids it, without making it unsafe: results are then arbitrary, but memory is not touched out of bounds).
#[derive(Clone, Debug)]
pub struct Model<'a> {
    config: Config,
    vocab: Vocab<'a>,
    precision: Precision,
    layout: Layout,
    provenance: Provenance<'a>,
    net: NetF32<'a>,
}

impl<'a> Model<'a> {
    /// Checks a blob and borrows its parts.
    ///
    /// Costs a pass over all bytes for the checksum and one over the weights.
    ///
    /// # Errors
    /// A [`FormatError`] for every byte string that is not a model this runtime can run.
    pub fn new(blob: &'a [u8]) -> Result<Self, FormatError> {
        let format::Parts { header, state_words, slab } = format::parse(blob)?;
        let vocab = Vocab::new(header.vocab)?;
        let config = Config::new(vocab.len(), header.n_embd.into(), header.activation, &header.levels)?;
        let need = config.state_layout().words();
        if state_words != need {
            return Err(FormatError::StateSizeMismatch { need, have: state_words });
        }
        let need = NetF32::slab_len(&config) * size_of::<f32>();
        let mismatch = FormatError::SlabSizeMismatch { need, have: slab.len() };
        if slab.len() != need {
            return Err(mismatch);
        }
        // The slab begins at a multiple of 16 from an aligned start, so that the cast cannot fail.
        let slab = bytemuck::try_cast_slice::<u8, f32>(slab).map_err(|_| mismatch)?;
        // False for NaN as well.
        if let Some(index) = slab.iter().position(|weight| !(-MAX_WEIGHT..=MAX_WEIGHT).contains(weight)) {
            return Err(FormatError::BadWeight { index });
        }
        let net = NetF32::new(&config, slab).ok_or(mismatch)?;
        Ok(Self {
            config,
            vocab,
            precision: header.precision,
            layout: header.layout,
            provenance: header.provenance,
            net,
        })
    }

    /// The dimensions.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The characters.
    pub fn vocab(&self) -> Vocab<'a> {
        self.vocab
    }

    /// The number format.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The order of the weights.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Where the model comes from.
    pub fn provenance(&self) -> Provenance<'a> {
        self.provenance
    }
}
