//! Reading the header field by field: what `serde` derives for [`Header`] reads the same, and takes ten times as much flash.
//! A test compares the two.

use super::{Header, Layout, Precision, Provenance, WeightFormat};
use crate::config::{Activation, Level};

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Int8, Precision::Int4];
const LAYOUTS: [Layout; 5] =
    [Layout::Rows8, Layout::RowMajor, Layout::Dual16, Layout::Lanes16, Layout::Vector128];
const ACTIVATIONS: [Activation; 2] = [Activation::Tanh, Activation::Gated];
const FORMATS: [WeightFormat; 5] =
    [WeightFormat::F32, WeightFormat::Table, WeightFormat::Int8, WeightFormat::Int4, WeightFormat::Pairs];

impl<'a> Header<'a> {
    /// Decodes a header; `None` for bytes that are none, or have something behind it.
    #[inline(never)]
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let precision = reader.one_of(&PRECISIONS)?;
        let layout = reader.one_of(&LAYOUTS)?;
        let activation = reader.one_of(&ACTIVATIONS)?;
        let n_embd = reader.short()?;
        let mut levels = heapless::Vec::new();
        for _ in 0..reader.number()? {
            let fuse = reader.byte()?;
            levels.push(Level { fuse, width: reader.short()? }).ok()?;
        }
        let skip = match reader.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let mut weights = heapless::Vec::new();
        for _ in 0..reader.number()? {
            weights.push(reader.one_of(&FORMATS)?).ok()?;
        }
        let golden_len = reader.short()?;
        let golden_crc32 = reader.number()?;
        let vocab = reader.text()?;
        let provenance = Provenance {
            preset: reader.text()?,
            exporter_version: reader.text()?,
            data_sha256: *reader.bytes(32)?.first_chunk()?,
            seed: reader.long()?,
            dev_nll_micronats: reader.number()?,
        };
        reader.0.is_empty().then_some(Self {
            precision,
            layout,
            activation,
            n_embd,
            levels,
            skip,
            weights,
            golden_len,
            golden_crc32,
            vocab,
            provenance,
        })
    }
}

/// What is left of the header.
struct Reader<'a>(&'a [u8]);

// Not inlined: each is called a dozen times.
impl<'a> Reader<'a> {
    #[inline(never)]
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    #[inline(never)]
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }

    /// A number of up to 64 bits in groups of seven, the lowest first; all bytes but the last have their top bit set.
    #[inline(never)]
    fn varint(&mut self, bits: u32) -> Option<u64> {
        let mut value = 0;
        for shift in (0..bits).step_by(7) {
            let byte = self.byte()?;
            // Bits beyond 64 fall out, which comes to light below.
            let group = u64::from(byte & 127) << shift;
            value |= group;
            if byte < 128 {
                let lost = group >> shift != u64::from(byte) || (bits < 64 && value >> bits != 0);
                return (!lost).then_some(value);
            }
        }
        None
    }

    fn long(&mut self) -> Option<u64> {
        self.varint(64)
    }

    #[inline(never)]
    fn number(&mut self) -> Option<u32> {
        self.varint(32).map(|value| value as u32)
    }

    #[inline(never)]
    fn short(&mut self) -> Option<u16> {
        self.varint(16).map(|value| value as u16)
    }

    /// A variant of an enum.
    #[inline]
    fn one_of<T: Copy>(&mut self, variants: &[T]) -> Option<T> {
        variants.get(self.number()? as usize).copied()
    }

    #[inline(never)]
    fn text(&mut self) -> Option<&'a str> {
        let len = self.number()?;
        core::str::from_utf8(self.bytes(len as usize)?).ok()
    }
}
