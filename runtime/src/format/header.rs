//! Reading the header field by field: what `serde` derives for [`Header`](super::Header) reads the same, and takes ten times as
//! much flash. A test compares the two.

use super::{Layout, MAX_LAYERS, Precision, WeightFormat};
use crate::config::{Activation, Config, Level};
use crate::vocab::next_character;

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Int8, Precision::Int4];
const LAYOUTS: [Layout; 5] = [Layout::Rows8, Layout::RowMajor, Layout::Dual16, Layout::Lanes16, Layout::Vector128];
const ACTIVATIONS: [Activation; 2] = [Activation::Tanh, Activation::Gated];
const FORMATS: [WeightFormat; 5] =
    [WeightFormat::F32, WeightFormat::Table, WeightFormat::Int8, WeightFormat::Int4, WeightFormat::Pairs];

/// A header as a reader needs it; see [`Header`](super::Header).
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    /// Not checked yet, and without the size of the vocabulary.
    pub config: Config,
    pub precision: Precision,
    pub layout: Layout,
    pub weights: heapless::Vec<WeightFormat, MAX_LAYERS, u8>,
    pub golden_len: u16,
    pub golden_crc32: u32,
    /// UTF-8.
    pub vocab: &'a [u8],
    /// In postcard.
    pub provenance: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Those of no model.
    #[inline]
    pub fn new() -> Self {
        Self {
            config: Config::NONE,
            precision: Precision::F32,
            layout: Layout::Rows8,
            weights: heapless::Vec::new(),
            golden_len: 0,
            golden_crc32: 0,
            vocab: &[],
            provenance: &[],
        }
    }

    /// Decodes a header; `None` for bytes that are none, or have something behind it.
    // Into what is there: a header is large, and would be copied on its way.
    #[inline(never)]
    pub fn read(&mut self, bytes: &'a [u8]) -> Option<()> {
        let mut reader = Reader { rest: bytes, failed: false };
        self.precision = reader.one_of(&PRECISIONS);
        self.layout = reader.one_of(&LAYOUTS);
        self.config.activation = reader.one_of(&ACTIVATIONS);
        self.config.n_embd = reader.short();
        for _ in 0..reader.number() {
            let level = Level { fuse: reader.byte(), width: reader.short() };
            self.config.levels.push(level).ok()?;
        }
        let skip = reader.byte();
        self.config.skip = skip == 1;
        for _ in 0..reader.number() {
            self.weights.push(reader.one_of(&FORMATS)).ok()?;
        }
        self.golden_len = reader.short();
        self.golden_crc32 = reader.number();
        self.vocab = reader.text();
        self.provenance = reader.rest;
        reader.text(); // preset
        reader.text(); // exporter_version
        reader.bytes(32); // data_sha256
        reader.varint(10, 1); // seed
        reader.number(); // dev_nll_micronats
        (!reader.failed && reader.rest.is_empty() && skip < 2).then_some(())
    }
}

/// What is left of the header. What cannot be read is zero or empty, and everything behind it as well: whether that happened is
/// asked once, at the end.
struct Reader<'a> {
    rest: &'a [u8],
    failed: bool,
}

// Not inlined: each is called many times.
impl<'a> Reader<'a> {
    #[inline(never)]
    fn bytes(&mut self, len: usize) -> &'a [u8] {
        match self.rest.split_at_checked(len) {
            Some((first, rest)) => {
                self.rest = rest;
                first
            }
            None => self.fail(),
        }
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self) -> &'a [u8] {
        (self.rest, self.failed) = (&[], true);
        &[]
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// The bytes of a number in groups of seven bits, the lowest first, all but the last with their top bit set: `most` of them, of
    /// which the last has at most the bits of `last`.
    #[inline(never)]
    fn varint(&mut self, most: usize, last: u8) -> u32 {
        let (mut value, mut shift) = (0, 0);
        for index in 1..=most {
            let byte = self.byte();
            value |= u32::from(byte & 127).wrapping_shl(shift);
            shift += 7;
            if byte < 128 {
                if index == most && byte > last {
                    self.fail();
                }
                return value;
            }
        }
        self.fail();
        0
    }

    #[inline(never)]
    fn number(&mut self) -> u32 {
        self.varint(5, 15)
    }

    #[inline(never)]
    fn short(&mut self) -> u16 {
        self.varint(3, 3) as u16
    }

    /// A variant of an enum.
    #[inline]
    fn one_of<T: Copy, const N: usize>(&mut self, variants: &[T; N]) -> T {
        let variant = self.number() as usize;
        variants.get(variant).copied().unwrap_or_else(|| {
            self.fail();
            variants[0]
        })
    }

    /// Checked to be UTF-8.
    #[inline(never)]
    fn text(&mut self) -> &'a [u8] {
        let len = self.number() as usize;
        let text = self.bytes(len);
        let mut left = text;
        while !left.is_empty() {
            if next_character(&mut left).is_none() {
                return self.fail();
            }
        }
        text
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    extern crate std;
    use std::string::String;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::super::{Header, Provenance};
    use super::*;

    /// The same as what serde derives reads, or as it refuses.
    fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
        let mut fields = Fields::new();
        let read = fields.read(bytes);
        let derived = postcard::take_from_bytes::<Header<'_>>(bytes).ok().filter(|(_, left)| left.is_empty());
        prop_assert_eq!(read.is_some(), derived.is_some());
        if let Some((header, _)) = derived {
            let config = &fields.config;
            prop_assert_eq!((fields.precision, fields.layout), (header.precision, header.layout));
            prop_assert_eq!((config.activation, config.skip), (header.activation, header.skip));
            prop_assert_eq!((config.n_embd, &config.levels[..]), (header.n_embd, &header.levels[..]));
            prop_assert_eq!(&fields.weights[..], &header.weights[..]);
            prop_assert_eq!((fields.golden_len, fields.golden_crc32), (header.golden_len, header.golden_crc32));
            prop_assert_eq!(fields.vocab, header.vocab.as_bytes());
            prop_assert_eq!(postcard::from_bytes(fields.provenance), Ok(header.provenance));
        }
        Ok(())
    }

    fn encoded() -> impl Strategy<Value = Vec<u8>> {
        let enums = (0..3_usize, 0..5_usize, 0..2_usize, any::<bool>());
        let levels = prop::collection::vec((any::<u8>(), any::<u16>()), 0..=8);
        let weights = prop::collection::vec(0..5_usize, 0..=9);
        let numbers = (any::<u16>(), any::<u16>(), any::<u32>(), any::<u64>(), any::<u32>());
        let texts = (".{0,20}", ".{0,5}", ".{0,5}");
        (enums, levels, weights, numbers, texts).prop_map(|(enums, levels, weights, numbers, texts)| {
            let (vocab, preset, exporter_version): (String, String, String) = texts;
            let header = Header {
                precision: PRECISIONS[enums.0],
                layout: LAYOUTS[enums.1],
                activation: ACTIVATIONS[enums.2],
                n_embd: numbers.0,
                levels: levels.into_iter().map(|(fuse, width)| Level { fuse, width }).collect(),
                skip: enums.3,
                weights: weights.into_iter().map(|format| FORMATS[format]).collect(),
                golden_len: numbers.1,
                golden_crc32: numbers.2,
                vocab: &vocab,
                provenance: Provenance {
                    preset: &preset,
                    exporter_version: &exporter_version,
                    data_sha256: [7; 32],
                    seed: numbers.3,
                    dev_nll_micronats: numbers.4,
                },
            };
            postcard::to_allocvec(&header).unwrap()
        })
    }

    /// A header with every byte of it changed to every other.
    #[test]
    fn reads_every_byte_as_serde_does() {
        let header = Header {
            precision: Precision::Int8,
            layout: Layout::RowMajor,
            activation: Activation::Gated,
            n_embd: 300,
            levels: [Level { fuse: 2, width: 200 }].into_iter().collect(),
            skip: true,
            weights: [WeightFormat::Table, WeightFormat::Int8].into_iter().collect(),
            golden_len: 3,
            golden_crc32: 0x8000_0001,
            vocab: ".é",
            provenance: Provenance {
                preset: "p",
                exporter_version: "",
                data_sha256: [7; 32],
                seed: u64::MAX,
                dev_nll_micronats: 200,
            },
        };
        let bytes = postcard::to_allocvec(&header).unwrap();
        for at in 0..bytes.len() {
            for byte in 0..=u8::MAX {
                let mut changed = bytes.clone();
                changed[at] = byte;
                agree(&changed).unwrap();
            }
        }
    }

    proptest! {
        #[test]
        fn reads_what_serde_does(
            bytes in encoded(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            len in any::<prop::sample::Index>(),
        ) {
            agree(&bytes)?;
            // Cut short, and with a byte of it changed, a length or the end of a number among them.
            agree(&bytes[..len.index(bytes.len())])?;
            let mut changed = bytes;
            let at = at.index(changed.len());
            changed[at] = byte;
            agree(&changed)?;
        }

        #[test]
        fn refuses_what_serde_does(bytes in prop::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..120)) {
            agree(&bytes)?;
        }
    }
}
