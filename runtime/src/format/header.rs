//! Reads the header field by field. The reader that `serde` derives for [`Header`](super::Header) has the same results
//! but takes ten times as much flash. A test compares the two.

use super::{Layout, MAX_LAYERS, Precision, WeightFormat};
use crate::activation::Activation;
use crate::config::{Config, Level};
use crate::vocab::next_character;

/// Fields of a header that a reader needs; see [`Header`](super::Header).
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    /// Dimensions, not checked yet.
    pub config: Config,
    pub precision: Precision,
    pub layout: Layout,
    pub weights: heapless::Vec<WeightFormat, MAX_LAYERS, u8>,
    pub golden_crc32: u32,
    /// Vocabulary in UTF-8.
    pub vocab: &'a [u8],
    /// Provenance, encoded in postcard.
    pub provenance: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Fields of no model.
    pub const NONE: Self = Self {
        config: Config::NONE,
        precision: Precision::F32,
        layout: Layout::Rows8,
        weights: heapless::Vec::new(),
        golden_crc32: 0,
        vocab: &[],
        provenance: &[],
    };

    /// Decodes a header and returns the length of the golden text, or `None` if the bytes are not a header or have
    /// bytes after it.
    // Decodes in place, because a header is large and would be copied on its way.
    #[inline(never)]
    pub fn read(&mut self, bytes: &'a [u8]) -> Option<usize> {
        let mut reader = Reader { rest: bytes, wrong: 0, characters: 0 };
        self.precision = Precision::from_code(reader.number(32))?;
        self.layout = Layout::from_code(reader.number(32))?;
        self.config.activation = Activation::from_code(reader.number(32))?;
        self.config.n_embd = reader.number(16) as u16;
        self.config.levels.clear();
        for _ in 0..reader.number(32) {
            let level = Level { fuse: reader.byte(), width: reader.number(16) as u16 };
            self.config.levels.push(level).ok()?;
        }
        self.config.skip = reader.number(1) & 1 != 0;
        self.weights.clear();
        for _ in 0..reader.number(32) {
            let format = WeightFormat::from_code(reader.number(32))?;
            self.weights.push(format).ok()?;
        }
        let golden_len = reader.number(16) as usize;
        self.golden_crc32 = reader.number(32);
        self.vocab = reader.text();
        // No truncation: a character has at least one byte, and the header's length has 16 bits.
        self.config.vocab_size = reader.characters as u16;
        self.provenance = reader.rest;
        reader.text(); // preset
        reader.text(); // exporter_version
        reader.bytes(32); // data_sha256
        reader.number(64); // seed
        reader.number(32); // dev_nll_micronats
        reader.number(32); // kl_micronats
        reader.number(32); // delta_micronats
        (reader.wrong | reader.rest.len() == 0).then_some(golden_len)
    }
}

/// Rest of the header. A field that cannot be read is zero or empty; the caller checks `wrong` once, at the end.
struct Reader<'a> {
    rest: &'a [u8],
    /// Nonzero if some field could not be read.
    wrong: usize,
    /// Characters of the text that was read last.
    characters: usize,
}

// Not inlined: each is called many times.
impl<'a> Reader<'a> {
    #[inline(never)]
    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let Some((first, rest)) = self.rest.split_at_checked(len) else {
            self.wrong = 1;
            return &[];
        };
        self.rest = rest;
        first
    }

    fn byte(&mut self) -> u8 {
        if let &[byte] = self.bytes(1) { byte } else { 0 }
    }

    /// Reads a number of at most `bits` bits: seven per byte, lowest first; every byte except the last has its top bit
    /// set. The value is unspecified if the number has more than 32 bits.
    ///
    /// The last byte has room for fewer than seven bits and none for the top bit: when 1 to 7 bits are left, a byte
    /// that would need another one after it fails.
    #[inline(never)]
    fn number(&mut self, bits: u32) -> u32 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = u32::from(self.byte());
            value |= (byte & 127).wrapping_shl(shift);
            let excess = byte >> (bits - shift).min(8);
            if byte < 128 || excess != 0 {
                self.wrong |= excess as usize;
                return value;
            }
            shift += 7;
        }
    }

    /// Reads a text and checks that it is UTF-8.
    #[inline(never)]
    fn text(&mut self) -> &'a [u8] {
        let len = self.number(32) as usize;
        let text = self.bytes(len);
        let mut left = text;
        self.characters = 0;
        while next_character(&mut left).is_some() {
            self.characters += 1;
        }
        self.wrong |= left.len();
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

    /// Checks that both readers read the same fields, or that both refuse.
    fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
        let mut fields = Fields::NONE;
        let read = fields.read(bytes);
        let derived = postcard::take_from_bytes::<Header<'_>>(bytes).ok().filter(|(_, left)| left.is_empty());
        prop_assert_eq!(read.is_some(), derived.is_some());
        if let Some((header, _)) = derived {
            let config = &fields.config;
            prop_assert_eq!((fields.precision, fields.layout), (header.precision, header.layout));
            prop_assert_eq!((config.activation, config.skip), (header.activation, header.skip));
            prop_assert_eq!((config.n_embd, &config.levels[..]), (header.n_embd, &header.levels[..]));
            prop_assert_eq!(&fields.weights[..], &header.weights[..]);
            prop_assert_eq!((read, fields.golden_crc32), (Some(header.golden_len.into()), header.golden_crc32));
            prop_assert_eq!(fields.vocab, header.vocab.as_bytes());
            prop_assert_eq!(postcard::from_bytes(fields.provenance), Ok(header.provenance));
        }
        Ok(())
    }

    fn encoded() -> impl Strategy<Value = Vec<u8>> {
        let enums = (0..Precision::ALL.len(), 0..Layout::ALL.len(), 0..Activation::ALL.len(), any::<bool>());
        let levels = prop::collection::vec((any::<u8>(), any::<u16>()), 0..=8);
        let weights = prop::collection::vec(0..WeightFormat::ALL.len(), 0..=9);
        let numbers = (any::<u16>(), any::<u16>(), any::<u32>(), any::<u64>(), any::<u32>());
        let texts = (".{0,20}", ".{0,5}", ".{0,5}");
        (enums, levels, weights, numbers, texts).prop_map(|(enums, levels, weights, numbers, texts)| {
            let (vocab, preset, exporter_version): (String, String, String) = texts;
            let header = Header {
                precision: Precision::ALL[enums.0],
                layout: Layout::ALL[enums.1],
                activation: Activation::ALL[enums.2],
                n_embd: numbers.0,
                levels: levels.into_iter().map(|(fuse, width)| Level { fuse, width }).collect(),
                skip: enums.3,
                weights: weights.into_iter().map(|format| WeightFormat::ALL[format]).collect(),
                golden_len: numbers.1,
                golden_crc32: numbers.2,
                vocab: &vocab,
                provenance: Provenance {
                    preset: &preset,
                    exporter_version: &exporter_version,
                    data_sha256: [7; 32],
                    seed: numbers.3,
                    dev_nll_micronats: numbers.4,
                    kl_micronats: numbers.2,
                    delta_micronats: numbers.3 as i32,
                },
            };
            postcard::to_allocvec(&header).unwrap()
        })
    }

    /// Changes every byte of a header to every other value.
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
                kl_micronats: u32::MAX,
                delta_micronats: -300,
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
            // The bytes cut short, then with one byte changed, which may be a length or the end of a number.
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
