//! A model, the buffers it runs in, and the two together.

#[cfg(feature = "f32")]
pub(crate) mod net_f32;
#[cfg(feature = "int8")]
pub(crate) mod net_int;
mod state;
mod stream;

#[cfg(feature = "alloc")]
pub use state::HeapState;
pub use state::{State, StateMut, state_words};
pub(crate) use stream::LogitsMut;
pub use stream::{Activations, Logits, Score, Stream};

#[cfg(feature = "f32")]
use net_f32::NetF32;
#[cfg(feature = "int8")]
use net_int::NetInt;

use crate::config::{Config, StateLayout};
use crate::error::{FormatError, SelfTestError, StateError};
use crate::format::{self, Header, Layout, Precision, Provenance, Slab};
use crate::vocab::{Token, Vocab};

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
    golden: &'a [Token],
    golden_crc32: u32,
    state_layout: StateLayout,
    pub(crate) net: Net<'a>,
}

/// The weights in one of the precisions this build has.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put one on")]
#[derive(Clone, Debug)]
pub(crate) enum Net<'a> {
    #[cfg(feature = "f32")]
    F32(NetF32<'a>),
    #[cfg(feature = "int8")]
    Int(NetInt<'a>),
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
        let config =
            Config::new(vocab.len(), header.n_embd.into(), header.activation, &header.levels)?.with_skip(header.skip);
        if header.weights.len() != config.levels().len() + 1 {
            return Err(FormatError::UnsupportedFormat);
        }
        let golden_len = usize::from(header.golden_len);
        if golden_len > format::MAX_GOLDEN {
            let (found, max) = (golden_len, format::MAX_GOLDEN);
            return Err(FormatError::BadDimension { what: "length of the golden text", found, min: 0, max });
        }
        let (state_layout, need) = state_size(&config, &header)?;
        if state_words != need {
            return Err(FormatError::StateSizeMismatch { need, have: state_words });
        }
        let mut slab = Slab::new(slab);
        let net = match (header.precision, header.layout) {
            #[cfg(feature = "f32")]
            (Precision::F32, Layout::Rows8) => Net::F32(NetF32::new(&config, &header.weights, &mut slab)?),
            #[cfg(feature = "int8")]
            (Precision::Int8, layout) if !header.weights.contains(&format::WeightFormat::Int4) => {
                Net::Int(NetInt::new(&config, layout, &header.weights, &mut slab)?)
            }
            #[cfg(feature = "int4")]
            (Precision::Int4, layout) => Net::Int(NetInt::new(&config, layout, &header.weights, &mut slab)?),
            _ => return Err(FormatError::UnsupportedFormat),
        };
        let golden = slab.take(golden_len)?;
        if golden.iter().any(|&token| usize::from(token) >= vocab.len()) {
            return Err(FormatError::BadValue { layer: header.weights.len() });
        }
        slab.finish()?;
        Ok(Self {
            config,
            vocab,
            precision: header.precision,
            layout: header.layout,
            provenance: header.provenance,
            golden,
            golden_crc32: header.golden_crc32,
            state_layout,
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

    /// 32-bit words of [`State`] the model needs.
    pub fn state_words(&self) -> usize {
        match &self.net {
            #[cfg(feature = "f32")]
            Net::F32(_) => self.state_layout.words_f32(),
            #[cfg(feature = "int8")]
            Net::Int(_) => self.state_layout.words_int(),
        }
    }

    /// The golden text: tokens on which [`Model::self_test`] runs.
    pub fn golden(&self) -> &'a [Token] {
        self.golden
    }

    /// The checksum that the golden text's logits are promised to have.
    #[cfg(all(feature = "alloc", feature = "int8"))]
    pub(crate) fn golden_crc32(&self) -> u32 {
        self.golden_crc32
    }

    /// Multiply-accumulates per generated character: [`Config::macs_streaming`], but for a level 0 that is looked up.
    #[cfg(all(feature = "alloc", feature = "int8"))]
    pub fn macs_streaming(&self) -> usize {
        let table =
            self.integer_layers().and_then(|(_, layers)| layers.first().cloned()).filter(|first| first.reads_tokens());
        let first = self.config.linear_shapes().next().filter(|_| table.is_some());
        self.config.macs_streaming() - first.map_or(0, |shape| shape.fan_in() * shape.fan_out)
    }

    /// How the weights of each level and of the output layer are stored.
    #[cfg(all(feature = "alloc", feature = "int8"))]
    pub fn weight_formats(&self) -> alloc::vec::Vec<format::WeightFormat> {
        match self.integer_layers() {
            Some((_, layers)) => layers.iter().map(crate::layers::LinearInt::format).collect(),
            None => alloc::vec![format::WeightFormat::F32; self.config.levels().len() + 1],
        }
    }

    /// The embedding and the linear layers of an integer model, for those who write it anew.
    #[cfg(all(feature = "alloc", feature = "int8"))]
    pub(crate) fn integer_layers(&self) -> Option<(&'a [i8], alloc::vec::Vec<crate::layers::LinearInt<'a>>)> {
        match &self.net {
            #[cfg(feature = "f32")]
            Net::F32(_) => None,
            Net::Int(net) => Some(net.layers()),
        }
    }

    /// What level 0 of an integer model gives for every pair of characters.
    #[cfg(all(feature = "alloc", feature = "int8"))]
    pub(crate) fn integer_pairs(&self) -> Option<alloc::vec::Vec<i8>> {
        match &self.net {
            #[cfg(feature = "f32")]
            Net::F32(_) => None,
            Net::Int(net) => net.pairs(&self.config),
        }
    }

    /// Computes the logits along the golden text and compares their checksum with that of the exporting host, bit by bit.
    ///
    /// Costs a character's time per token of the text. Run it once at boot: it finds a compiler, an FPU setting or a memory
    /// that does not compute what the host did.
    ///
    /// # Errors
    /// [`StateError`] if the state is too small, as [`crate::Error::State`]; [`SelfTestError`] with both checksums, as
    /// [`crate::Error::SelfTest`].
    pub fn self_test<'s>(&'s self, state: impl Into<StateMut<'s>>) -> Result<(), crate::Error> {
        let computed = self.golden_checksum(state)?;
        let expected = self.golden_crc32;
        if computed == expected { Ok(()) } else { Err(SelfTestError { expected, computed }.into()) }
    }

    /// The checksum of the logits along the golden text: CRC-32 over little-endian logits after a reset and after each token.
    ///
    /// # Errors
    /// [`StateError`] if the state is too small.
    pub fn golden_checksum<'s>(&'s self, state: impl Into<StateMut<'s>>) -> Result<u32, StateError> {
        let mut stream = Stream::new(self, state)?;
        let mut digest = format::CRC.digest();
        stream.logits().for_each_bytes(|bytes| digest.update(&bytes));
        for &token in self.golden {
            stream.push(token);
            stream.logits().for_each_bytes(|bytes| digest.update(&bytes));
        }
        Ok(digest.finalize())
    }
}

/// For the steps at which nobody looks.
fn unobserved<T>(_level: usize, _values: &[T]) {}

/// The buffers a blob needs, and their size in words.
pub(crate) fn state_size(config: &Config, header: &Header<'_>) -> Result<(StateLayout, usize), FormatError> {
    match header.precision {
        #[cfg(feature = "f32")]
        Precision::F32 => {
            let layout = config.state_layout_f32();
            Ok((layout, layout.words_f32()))
        }
        #[cfg(feature = "int8")]
        Precision::Int8 | Precision::Int4 => {
            let (levels, output) = net_int::input_words(config, header.layout, &header.weights);
            let layout = config.state_layout_int(levels, output);
            Ok((layout, layout.words_int()))
        }
        #[allow(unreachable_patterns, reason = "reached where a precision is left out")]
        _ => Err(FormatError::UnsupportedFormat),
    }
}
