//! Packs the parts of the page into a gzip stream inside an HTML file. `web/src/boot.js` unpacks them.
//!
//! Base64 would take a third more. Instead the file is in the encoding windows-1252, in which each byte is a character,
//! and bytes that HTML would change are escaped, as in yEnc.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The sign before an escaped byte, which is the byte plus [`SHIFT`].
const ESCAPE: u8 = b'=';
const SHIFT: u8 = 64;

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

    /// Returns the packed parts as characters of windows-1252: the number of parts, the length of each, and their
    /// bytes, compressed.
    pub fn pack(&self) -> Result<Vec<u8>> {
        let lengths: Vec<usize> = [self.0.len()].into_iter().chain(self.0.iter().map(Vec::len)).collect();
        let mut stream = Vec::new();
        for length in lengths {
            stream.extend(u32::try_from(length)?.to_le_bytes());
        }
        stream.extend(self.0.concat());
        Ok(escape(&gzip(&stream)?))
    }

    /// Returns the size of some bytes by themselves, packed.
    pub fn size(bytes: &[u8]) -> Result<usize> {
        Ok(escape(&gzip(bytes)?).len())
    }
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?)
}

/// HTML replaces NUL and CR, and `<` may begin a tag.
fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if [0, b'\r', b'<', ESCAPE].contains(&byte) {
            text.extend([ESCAPE, byte + SHIFT]);
        } else {
            text.push(byte);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_html_changes_are_escaped() {
        assert_eq!(escape(b"\0a\r<=\xff"), b"=@a=M=|=}\xff");
    }

    #[test]
    fn parts_are_counted() {
        let mut parts = Parts::default();
        assert_eq!((parts.add(vec![]), parts.add(vec![1; 100_000])), (0, 1));
        parts.set(0, vec![7]);
        let packed = parts.pack().unwrap();
        assert!(packed.len() < 1_000 && packed.starts_with(&[0x1f, 0x8b]), "{}", packed.len());
    }
}
