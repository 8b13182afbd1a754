//! Packs the parts of the page into a gzip stream inside an HTML file. `web/src/boot.js` unpacks them.
//!
//! The file is in UTF-16. A character holds 15 bits of the stream; base64 in UTF-8 would take a quarter more. A browser
//! knows the encoding by the first two bytes, whatever a server says.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Bits of the stream in a character.
const BITS: u32 = 15;
/// Character of fifteen zeros. HTML leaves it and the next 32,767 as they are.
const FIRST: u16 = 0x3400;
/// First character of a file in UTF-16, by which a browser knows the encoding.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Parts of a page.
#[derive(Debug, Default)]
pub struct Parts(Vec<Vec<u8>>);

impl Parts {
    /// Adds a part and returns its index.
    pub fn add(&mut self, bytes: Vec<u8>) -> usize {
        self.0.push(bytes);
        self.0.len() - 1
    }

    /// Replaces a part.
    pub fn set(&mut self, index: usize, bytes: Vec<u8>) {
        self.0[index] = bytes;
    }

    /// Returns the packed parts: the number of parts, the length of each, and their bytes, compressed.
    pub fn pack(&self) -> Result<String> {
        let lengths: Vec<usize> = [self.0.len()].into_iter().chain(self.0.iter().map(Vec::len)).collect();
        let mut stream = Vec::new();
        for length in lengths {
            stream.extend(u32::try_from(length)?.to_le_bytes());
        }
        stream.extend(self.0.concat());
        characters(&gzip(&stream)?)
    }

    /// Returns the size of some bytes by themselves in the file, packed.
    pub fn size(bytes: &[u8]) -> Result<usize> {
        Ok(2 * characters(&gzip(bytes)?)?.chars().count())
    }
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?)
}

/// Returns the length of the bytes and the bytes as characters, the last one filled with zeros.
fn characters(bytes: &[u8]) -> Result<String> {
    let length = u32::try_from(bytes.len())?.to_le_bytes();
    let (mut text, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    // Two bytes of zeros complete the last character.
    for &byte in length.iter().chain(bytes).chain(&[0; 2]) {
        (bits, count) = (bits << 8 | u32::from(byte), count + 8);
        if count >= BITS {
            count -= BITS;
            text.push(FIRST + (bits >> count) as u16);
            bits &= (1 << count) - 1;
        }
    }
    Ok(String::from_utf16(&text)?)
}

/// Returns a text in UTF-16, the lower byte of each unit first.
pub fn utf16(text: &str) -> Vec<u8> {
    let mut units = [0; 2];
    let mark = BYTE_ORDER_MARK.encode_utf16(&mut units).to_vec();
    mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_has_fifteen_bits() {
        // The length, 2, and the bytes: 0x02 0 0 0 0xff 0x80, then zeros.
        let text = characters(&[0xff, 0x80]).unwrap();
        let units: Vec<u16> = text.encode_utf16().map(|unit| unit - FIRST).collect();
        assert_eq!(units, [0x0100, 0, 0x1ff0, 0]);
        assert_eq!(utf16("a\u{3400}"), [0xff, 0xfe, b'a', 0, 0, 0x34]);
    }

    #[test]
    fn html_leaves_all_characters_as_they_are() {
        let last = FIRST + ((1 << BITS) - 1);
        let is_kept = |character: char| !character.is_control() && !character.is_whitespace() && !character.is_ascii();
        assert!((FIRST..=last).all(|unit| char::from_u32(unit.into()).is_some_and(is_kept)));
    }

    #[test]
    fn parts_are_counted() {
        let mut parts = Parts::default();
        assert_eq!((parts.add(vec![]), parts.add(vec![1; 100_000])), (0, 1));
        parts.set(0, vec![7]);
        let packed = parts.pack().unwrap();
        assert!(packed.chars().count() < 1_000, "{packed}");
    }
}
