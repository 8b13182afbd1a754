//! Turns activations into the coefficients by which the kernels multiply; the equations are in [`super`].

use super::MIDDLE;

/// Prepares a position: passes the whole parts, of `PART` columns and `WORDS` words each, to `convert`. Zeros fill an
/// incomplete part, and further parts if `prepared` has words for them.
///
/// Does nothing if `prepared` has too few words, has an incomplete last part, or has `group` or more words too many.
#[inline]
pub(super) fn segment<const PART: usize, const WORDS: usize>(
    x: &[i8],
    prepared: &mut [u32],
    group: usize,
    convert: impl Fn(&[i8], &mut [u32]),
) {
    let parts = x.len() / PART;
    // Saturates to a length that no memory holds, which matches nothing.
    let need = x.len().div_ceil(PART).saturating_mul(WORDS);
    // Subtracts, because parts are few and a division would be a routine of its own.
    let Some(mut more) = prepared.len().checked_sub(need).filter(|&more| more < group) else { return };
    while more >= WORDS {
        more -= WORDS;
    }
    if more != 0 {
        return;
    }
    let (whole, mut tail) = x.split_at_checked(parts * PART).unwrap_or_default();
    let (head, last) = prepared.split_at_mut_checked(parts * WORDS).unwrap_or_default();
    if !whole.is_empty() {
        convert(whole, head);
    }
    let mut last = last;
    while let Some((words, rest)) = last.split_first_chunk_mut::<WORDS>() {
        let mut filled = [0; PART];
        for (filled, &x) in filled.iter_mut().zip(tail) {
            *filled = x;
        }
        convert(&filled, words);
        (tail, last) = (&[], rest);
    }
}

/// Returns the term that, for activations with this sum, subtracts an offset of `2^shift` per weight from both lanes
/// and centres the low lane.
#[inline]
pub(super) fn constant(sum: i32, shift: u32) -> u32 {
    let offset = (sum as u32) << shift;
    MIDDLE.wrapping_sub(offset).wrapping_sub(offset << 16)
}
