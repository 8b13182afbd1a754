//! A model, the buffers it runs in, and the combination of both.

pub mod built_in;
mod engine;
#[cfg(feature = "f32")]
pub(crate) mod net_f32;
#[cfg(feature = "int8")]
pub(crate) mod net_int;
pub(crate) mod numbers;
mod output;
#[cfg(feature = "f32")]
pub(crate) mod side_by_side;
pub(crate) mod state;
mod stream;
pub(crate) mod walk;

pub use output::{Activations, Logits};
#[cfg(feature = "alloc")]
pub use state::HeapState;
pub use state::{COUNTER_WORDS, State, StateMut, state_words};
pub use stream::{Score, Stream};

#[cfg(feature = "f32")]
use net_f32::NetF32;
#[cfg(feature = "int8")]
use net_int::NetInt;

use crate::config::{Config, StateLayout};
use crate::error::{FormatError, SelfTestError, StateError};
#[cfg(feature = "alloc")]
use crate::format::WeightFormat;
use crate::format::header::Fields;
use crate::format::slab::Slab;
use crate::format::{self, Layout, Precision, Provenance};
#[cfg(feature = "alloc")]
use crate::layers::IntegerLayer;
use crate::limits::{Checks, Dimension};
use crate::vocab::{Token, Vocab};

/// Model, read in place from its blob.
///
/// [`Model::new`] checks everything once; after that, nothing about the model can fail. The guarantee holds while the
/// bytes do not change. For safe code the borrow ensures that. If a flash page is erased while the program runs,
/// results are arbitrary, but no access is out of bounds. [`crate::format`] lists the checks, `SECURITY.md` at the root
/// of the repository their consequences.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    pub(crate) header: Fields<'a>,
    pub(crate) net: Net<'a>,
    /// Tokens on which [`Model::self_test`] runs.
    golden: &'a [Token],
    /// Sizes of the model's buffers in a [`State`].
    pub(crate) buffers: StateLayout,
}

/// Evaluates an expression for the network of either precision: `each!(Net, &self.net, net => net.starts())`.
macro_rules! each {
    ($choice:ident, $value:expr, $name:ident => $result:expr) => {
        match $value {
            #[cfg(feature = "f32")]
            $choice::F32($name) => $result,
            #[cfg(feature = "int8")]
            $choice::Int($name) => $result,
        }
    };
}
pub(crate) use each;

/// Network in one of the precisions of this build.
#[allow(clippy::large_enum_variant, reason = "without a heap there is no box")]
#[derive(Clone, Debug)]
pub(crate) enum Net<'a> {
    #[cfg(feature = "f32")]
    F32(NetF32<'a>),
    #[cfg(feature = "int8")]
    Int(NetInt<'a>),
}

impl<'a> Net<'a> {
    /// Returns the first word of each layer in the slab.
    #[cfg(feature = "alloc")]
    pub fn starts(&self) -> [u32; crate::limits::MAX_LAYERS] {
        each!(Self, self, net => net.starts())
    }

    /// Returns a network without weights.
    const fn none() -> Self {
        #[cfg(feature = "int8")]
        return Self::Int(NetInt::none());
        #[cfg(not(feature = "int8"))]
        Self::F32(NetF32::NONE)
    }

    /// Takes the weights from the slab, computes the sizes of the buffers, and returns the words of all buffers.
    /// Returns `None` if the slab is refused.
    #[inline(always)]
    fn load(&mut self, header: &Fields<'a>, slab: &mut Slab<'a>, buffers: &mut StateLayout) -> Option<usize> {
        #[cfg(feature = "f32")]
        if (header.precision, header.layout) == (Precision::F32, Layout::Rows8) {
            *self = Self::F32(NetF32::new(&header.config, &header.weights, slab)?);
            *buffers = header.config.state_layout_f32();
            return Some(buffers.words_f32());
        }
        #[cfg(feature = "int8")]
        #[allow(irrefutable_let_patterns, reason = "a build may have only one precision")]
        if net_int::allows(header.precision, &header.weights)
            && let Self::Int(net) = self
        {
            net.load(header, slab, buffers)?;
            return Some(buffers.words_int());
        }
        None
    }
}

impl<'a> Model<'a> {
    /// Checks a blob and borrows its parts.
    ///
    /// Takes one pass over all bytes for the checksum and one over the weights.
    ///
    /// # Errors
    /// A [`FormatError`] for any bytes that are not a model that this runtime can run.
    #[inline]
    pub fn new(blob: &'a [u8]) -> Result<Self, FormatError> {
        // Copies a constant as a whole: setting field by field would be more code.
        let mut model =
            const { Self { header: Fields::NONE, net: Net::none(), golden: &[], buffers: StateLayout::NONE } };
        let mut slab = Slab::new(blob);
        match load(&mut model.header, &mut model.net, &mut model.buffers, &mut slab) {
            Some(golden) => {
                model.golden = golden;
                Ok(model)
            }
            None => Err(slab.error),
        }
    }

    /// Returns the dimensions of the model.
    pub fn config(&self) -> &Config {
        &self.header.config
    }

    /// Returns the characters that the model knows.
    pub fn vocab(&self) -> Vocab<'a> {
        Vocab::known(self.header.vocab, self.config().vocab_size())
    }

    /// Returns the number format of the model.
    pub fn precision(&self) -> Precision {
        self.header.precision
    }

    /// Returns the order of the weights in the slab.
    pub fn layout(&self) -> Layout {
        self.header.layout
    }

    /// Returns the origin of the model.
    pub fn provenance(&self) -> Provenance<'a> {
        // The loader has read these bytes before, so they decode.
        postcard::from_bytes(self.header.provenance).unwrap_or(Provenance::UNKNOWN)
    }

    /// Returns the number of 32-bit words of [`State`] that the model needs.
    pub const fn state_words(&self) -> usize {
        if self.header.precision.is_integer() { self.buffers.words_int() } else { self.buffers.words_f32() }
    }

    /// Returns the golden text: the tokens on which [`Model::self_test`] runs.
    pub fn golden(&self) -> &'a [Token] {
        self.golden
    }

    /// Returns the CRC-32 that the golden text's logits had on the exporting host.
    pub fn golden_crc32(&self) -> u32 {
        self.header.golden_crc32
    }

    /// Returns the multiply-accumulates per generated character: [`Config::macs_streaming`], without levels that are
    /// looked up.
    #[cfg(feature = "alloc")]
    pub fn macs_streaming(&self) -> usize {
        let layers = self.config().linear_shapes().zip(&self.header.weights);
        layers.filter(|(_, format)| !format.reads_tokens()).map(|(shape, _)| shape.fan_in() * shape.fan_out).sum()
    }

    /// Returns the storage format of the weights of each level and of the output layer.
    #[cfg(feature = "alloc")]
    pub fn weight_formats(&self) -> &[format::WeightFormat] {
        &self.header.weights
    }

    /// Returns the embedding of an integer model and the numbers of its linear layers, to write the model again.
    #[cfg(feature = "alloc")]
    pub(crate) fn unpack(&self) -> Option<(&'a [i8], alloc::vec::Vec<IntegerLayer>)> {
        match &self.net {
            Net::F32(_) => None,
            Net::Int(net) => Some(net.unpack(&self.header)),
        }
    }

    /// Returns the output of level 0 of an integer model for every pair of characters.
    #[cfg(feature = "alloc")]
    pub(crate) fn integer_pairs(&self) -> Option<alloc::vec::Vec<i8>> {
        match &self.net {
            Net::F32(_) => None,
            Net::Int(net) => net.pairs(&self.header),
        }
    }

    /// Computes the logits along the golden text and compares their checksum with that of the exporting host, bit by
    /// bit.
    ///
    /// Takes the time of one character per token of the text. Run it once at boot: it detects a compiler, an FPU
    /// setting or a memory whose results differ from the host's.
    ///
    /// # Errors
    /// [`StateError`], as [`crate::Error::State`], if the state is too small; [`SelfTestError`] with both checksums, as
    /// [`crate::Error::SelfTest`], if they differ.
    pub fn self_test<'s>(&'s self, state: impl Into<StateMut<'s>>) -> Result<(), crate::error::Error> {
        let computed = self.golden_checksum(state)?;
        let expected = self.golden_crc32();
        if computed == expected { Ok(()) } else { Err(SelfTestError { expected, computed }.into()) }
    }

    /// Returns the checksum of the logits along the golden text.
    ///
    /// It is the CRC-32 of the little-endian logits after a reset and after each token.
    ///
    /// # Errors
    /// [`StateError`] if the state is too small.
    pub fn golden_checksum<'s>(&'s self, state: impl Into<StateMut<'s>>) -> Result<u32, StateError> {
        let mut stream = Stream::new(self, state)?;
        let mut digest = format::CRC.digest();
        stream.logits().for_each_bytes(|bytes| digest.update(&bytes));
        for &token in self.golden() {
            stream.push(token);
            stream.logits().for_each_bytes(|bytes| digest.update(&bytes));
        }
        Ok(digest.finalize())
    }
}

/// Checks the blob and finds all of its parts, the golden text last. Returns `None` if the blob is refused.
// Fills its arguments in place: a model is large, and would be copied with every part that is added.
#[inline(never)]
fn load<'a>(
    header: &mut Fields<'a>,
    net: &mut Net<'a>,
    buffers: &mut StateLayout,
    slab: &mut Slab<'a>,
) -> Option<&'a [Token]> {
    let (frame, have) = slab.frame()?;
    let Some(golden_len) = header.read(frame) else { return slab.refuse(FormatError::BadHeader) };
    if let Err(violation) = Checks::new().and(Dimension::VocabSize, header.config.vocab_size()).done() {
        return slab.refuse_dimension(violation);
    }
    if let Some(character) = Vocab::known(header.vocab, header.config.vocab_size()).repeated() {
        return slab.refuse(FormatError::DuplicateCharacter { character });
    }
    if let Err(violation) = header.config.check() {
        return slab.refuse_dimension(violation);
    }
    if !header.config.activation.is_built() || header.weights.len() != header.config.levels().len() + 1 {
        return slab.refuse(FormatError::UnsupportedFormat);
    }
    if let Err(violation) = Checks::new().and(Dimension::Golden, golden_len).done() {
        return slab.refuse_dimension(violation);
    }
    let need = net.load(header, slab, buffers)?;
    if have != need {
        return slab.refuse(FormatError::StateSizeMismatch { need, have });
    }
    let golden = slab.take(golden_len)?;
    if golden.iter().any(|&token| usize::from(token) >= header.config.vocab_size()) {
        return slab.refuse(FormatError::BadValue { layer: header.weights.len() });
    }
    slab.finish()?;
    Some(golden)
}

/// Returns the words of the buffers that a model to be written will need.
#[cfg(feature = "alloc")]
pub(crate) fn state_words_of(
    config: &Config,
    precision: Precision,
    layout: Layout,
    weights: &[WeightFormat],
) -> Result<usize, FormatError> {
    match precision {
        Precision::F32 => Ok(config.state_layout_f32().words_f32()),
        Precision::Int8 | Precision::Int4 if layout.is_integer() => {
            Ok(net_int::state_layout(config, layout, weights).words_int())
        }
        Precision::Int8 | Precision::Int4 => Err(FormatError::UnsupportedFormat),
    }
}
