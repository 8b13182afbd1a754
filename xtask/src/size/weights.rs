//! Finds the models in a program by the first bytes of a blob, wherever they are linked.

use std::ops::Range;

use object::{Object, ObjectSection, Section};
use runtime::Model;
use runtime::format::{AlignedBlob, BLOB_ALIGN, MAGIC};

use super::sections::is_in_flash;

/// Returns the bytes of all models in a program.
pub fn of_elf(file: &object::File<'_>) -> u64 {
    let sections = file.sections().filter(is_in_flash);
    sections.flat_map(|section| in_section(&section)).map(|blob| blob.end - blob.start).sum()
}

/// Returns the addresses of the models in a section.
pub fn in_section(section: &Section<'_, '_>) -> Vec<Range<u64>> {
    let start = section.address();
    let found = section.data().map(find).unwrap_or_default();
    found.into_iter().map(|range| start + range.start as u64..start + range.end as u64).collect()
}

/// Returns the blobs in these bytes. Only complete blobs that the runtime accepts count, since the four letters can
/// occur anywhere.
fn find(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        let Some(length) = length(rest) else {
            if rest.is_empty() {
                break;
            }
            at += BLOB_ALIGN;
            continue;
        };
        found.push(at..at + length);
        at = (at + length).next_multiple_of(BLOB_ALIGN);
    }
    found
}

/// Returns the length of the blob that these bytes begin with.
fn length(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(&MAGIC) {
        return None;
    }
    // The header's length follows the magic number and the version; see runtime/FORMAT.md.
    let length = u32::from_le_bytes(*bytes.get(8..)?.first_chunk()?) as usize;
    let blob = AlignedBlob::from(bytes.get(..length)?);
    Model::new(blob.as_bytes()).is_ok().then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Repo;

    #[test]
    fn models_are_found_among_other_bytes() {
        let blob = std::fs::read(Repo::find().root().join("models/tiny.int8.blob")).unwrap();
        let mut bytes = [&MAGIC[..], &[0xff; 12], &blob, &MAGIC, &blob[..100]].concat();
        let found = find(&bytes);
        assert!(found.len() == 1 && found[0] == (16..16 + blob.len()), "{found:?}");
        // With one bit changed, the runtime refuses the model.
        bytes[200] ^= 1;
        assert_eq!(find(&bytes), []);
    }
}
