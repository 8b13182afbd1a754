//! Activations into the coefficients that the kernels multiply with; the equations are in [`super`].

use super::MIDDLE;

/// Does what all `prepare_*` have in common: nothing if the lengths do not match; whole groups of `GROUP` columns and
/// `WORDS` words to `convert`; the last, incomplete one filled up with zeros.
#[inline]
pub(super) fn segment<const GROUP: usize, const WORDS: usize>(
    x: &[i8],
    prepared: &mut [u32],
    convert: impl Fn(&[i8], &mut [u32]),
) {
    let groups = x.len() / GROUP;
    // A length that no memory holds matches nothing.
    if x.len().div_ceil(GROUP).saturating_mul(WORDS) != prepared.len() {
        return;
    }
    let (whole, tail) = x.split_at_checked(groups * GROUP).unwrap_or_default();
    let (head, last) = prepared.split_at_mut_checked(groups * WORDS).unwrap_or_default();
    if !whole.is_empty() {
        convert(whole, head);
    }
    if !tail.is_empty() {
        let mut filled = [0; GROUP];
        for (filled, &x) in filled.iter_mut().zip(tail) {
            *filled = x;
        }
        convert(&filled, last);
    }
}

/// `[c, d]` with `c + 2^8 d = low` and `2^8 c + d = high`.
#[inline]
fn coefficients(low: i32, high: i32) -> [u32; 2] {
    let difference = low.wrapping_sub(high << 8) as u32;
    // Times 1 + 2^16, the inverse of 1 - 2^16.
    let c = difference.wrapping_add(difference << 16);
    [c, (high as u32).wrapping_sub(c << 8)]
}

/// What takes an offset of `2^shift` per weight off both lanes, for activations with this sum, and centres the low one.
#[inline]
fn constant(sum: i32, shift: u32) -> u32 {
    let offset = (sum as u32) << shift;
    MIDDLE.wrapping_sub(offset).wrapping_sub(offset << 16)
}

/// Two columns of 8-bit weights.
#[inline]
pub(super) fn pair(x: [i8; 2]) -> [u32; 3] {
    let [x0, x1] = x.map(i32::from);
    let [c, d] = coefficients(x0, x1);
    [c, d, constant(x0 + x1, 7)]
}

/// Four columns of light weights.
#[inline]
pub(super) fn quad(x: [i8; 4]) -> [u32; 5] {
    let [x0, x1, x2, x3] = x.map(i32::from);
    let [c0, d0] = coefficients(x0, x1);
    let [c1, d1] = coefficients(x2, x3);
    [c0, d0, c1, d1, constant(x0 + x1 + x2 + x3, 7)]
}

/// Four columns of 4-bit weights, without their constant.
#[cfg(feature = "int4")]
#[inline]
pub(super) fn nibbles(x: [i8; 4]) -> [u32; 4] {
    let [x0, x1, x2, x3] = x.map(i32::from);
    let [c0, c1] = coefficients(x0, x2);
    let [c2, c3] = coefficients(x1 - (x0 << 4), x3 - (x2 << 4));
    [c0, c1, c2, c3]
}

/// The constant of a group of 4-bit weights.
#[cfg(feature = "int4")]
#[inline]
pub(super) fn nibbles_constant(x: &[i8]) -> u32 {
    constant(x.iter().map(|&x| i32::from(x)).sum(), 3)
}
