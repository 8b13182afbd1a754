//! Mutates blobs so that most of them remain blobs: libFuzzer's own mutations would seldom pass the checksum.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;
use runtime::format::{Header, PREAMBLE_BYTES, Preamble, WeightFormat, slab_offset};
use runtime::{Activation, Level};

use super::blob::seal;
use super::invent::invent;

/// Function that changes bytes without knowing their meaning: takes `(bytes, length, longest)` and returns the new
/// length.
pub type Generic<'g> = &'g mut dyn FnMut(&mut [u8], usize, usize) -> usize;

/// Changes the blob in the first `len` bytes of `bytes`, which it may extend to all of `bytes`. Returns the new length.
pub fn mutate(bytes: &mut [u8], len: usize, seed: u32, generic: Generic<'_>) -> usize {
    let mut rng = Xoshiro128PlusPlus::seed_from_u64(seed.into());
    let longest = bytes.len();
    let blob = &bytes[..len];
    let slab = slab_start(blob).filter(|&start| start < len);
    // Seldom, because this takes longer than the other mutations.
    let anew = rng.next_u32().is_multiple_of(512);
    let replaced = match (rng.next_u32() % 16, slab) {
        _ if anew => invent(&random(&mut rng)),
        (0..=4, Some(start)) => with_another_header(blob, start, &mut rng),
        // Only the weights.
        (5..=8, Some(start)) => {
            generic(&mut bytes[start..len], len - start, len - start);
            None
        }
        // Leaves the result as it is: one time in sixteen, nothing is corrected afterwards.
        (9, _) => return generic(bytes, len, longest),
        // Preamble, header, weights, and the length.
        _ => {
            let len = generic(bytes, len, longest);
            seal(&mut bytes[..len]);
            return len;
        }
    };
    let len = match replaced.filter(|blob| blob.len() <= longest) {
        Some(blob) => {
            bytes[..blob.len()].copy_from_slice(&blob);
            blob.len()
        }
        None => len,
    };
    seal(&mut bytes[..len]);
    len
}

fn random(rng: &mut Xoshiro128PlusPlus) -> [u8; 96] {
    core::array::from_fn(|_| rng.next_u32() as u8)
}

/// Returns the offset of the weights.
fn slab_start(blob: &[u8]) -> Option<usize> {
    let preamble = blob.first_chunk::<PREAMBLE_BYTES>()?;
    Some(slab_offset(u16::from_le_bytes([preamble[6], preamble[7]]).into()))
}

/// Returns the same weights after a header that differs in one field.
fn with_another_header(blob: &[u8], start: usize, rng: &mut Xoshiro128PlusPlus) -> Option<Vec<u8>> {
    let header_len = usize::from(u16::from_le_bytes([blob[6], blob[7]]));
    let (mut header, _) =
        postcard::take_from_bytes::<Header<'_>>(blob.get(PREAMBLE_BYTES..PREAMBLE_BYTES + header_len)?).ok()?;
    let donor = random(rng);
    let one = |bytes: &[u8]| postcard::from_bytes(bytes).ok();
    let (choice, number) = (rng.next_u32() % 12, number(rng));
    let level = Level { fuse: 2 + donor[0] % 4, width: number };
    let text = ["", ".ab", "..a", ".aa", ".é一😀", "aaa", ".abcdefghijklmnopqrstuvwxyz"][usize::from(donor[1] % 7)];
    match choice {
        0 => header.precision = one(&[donor[0] % 3])?,
        1 => header.layout = postcard::from_bytes(&[donor[0] % 5]).ok()?,
        2 => header.activation = postcard::from_bytes(&[donor[0] % Activation::ALL.len() as u8]).ok()?,
        3 => header.n_embd = number,
        4 => header.levels.push(level).ok()?,
        5 => drop(header.levels.pop()),
        6 => *pick(&mut header.levels, rng)? = level,
        7 => pick(&mut header.levels, rng)?.fuse = number as u8,
        8 => header.skip = !header.skip,
        9 => {
            let formats = WeightFormat::ALL;
            *pick(&mut header.weights, rng)? = formats[usize::from(donor[2]) % formats.len()];
        }
        10 => header.vocab = text,
        _ => header.golden_len = number,
    }
    // Usually keeps the number of layers consistent with the number of levels.
    if !donor[3].is_multiple_of(8) {
        let last = header.weights.last().copied()?;
        header.weights.truncate(header.levels.len());
        while header.weights.len() <= header.levels.len() {
            header.weights.push(last).ok()?;
        }
    }
    let encoded = postcard::to_allocvec(&header).ok()?;
    let preamble = Preamble {
        header_len: encoded.len().try_into().ok()?,
        total_len: 0,
        state_words: u32::from_le_bytes(*blob[12..].first_chunk()?),
        crc32: 0,
    };
    let mut changed = preamble.to_bytes().to_vec();
    changed.extend(encoded);
    changed.resize(changed.len().next_multiple_of(16), 0);
    changed.extend(&blob[start..]);
    Some(changed)
}

/// Returns a small number, one at a limit, or any.
fn number(rng: &mut Xoshiro128PlusPlus) -> u16 {
    let any = rng.next_u32();
    match any % 4 {
        0 | 1 => (any >> 8) as u16 % 24,
        2 => [0, 1, 63, 64, 65, 255, 256, 1023, 1024, 1025, 2048, 4096, 4097, u16::MAX][(any >> 8) as usize % 14],
        _ => (any >> 8) as u16,
    }
}

fn pick<'v, T>(values: &'v mut [T], rng: &mut Xoshiro128PlusPlus) -> Option<&'v mut T> {
    let index = (rng.next_u32() as usize).checked_rem(values.len())?;
    values.get_mut(index)
}

/// Changes the blob after `settings` bytes with [`mutate`], or changes the settings; where there is no blob, changes
/// any byte.
pub fn mutate_with_settings(bytes: &mut [u8], len: usize, settings: usize, seed: u32, generic: Generic<'_>) -> usize {
    let (invented, chosen) = (bytes.first().is_some_and(|flags| flags & 1 != 0), seed.is_multiple_of(4));
    match bytes.split_at_mut_checked(settings) {
        Some((first, _)) if len > settings && chosen => {
            generic(first, settings, settings);
            len
        }
        Some((_, blob)) if len > settings && !invented => settings + mutate(blob, len - settings, seed / 4, generic),
        _ => generic(bytes, len, bytes.len()),
    }
}
